/**
 * Which bytes of which packs are read, in what order, for a set of chunks: a pure function from locations to reads.
 *
 * Nouns: a *read* is one range of one pack; a *wanted frame* is where in it a chunk's frame lies.
 *
 * ```
 * group the frames by pack; packs in the order in which their first chunk is needed
 * in each pack by offset: a frame joins the read before it when the gap is at most MAX_GAP and the read stays within MAX_READ
 * ```
 * Reading a gap costs less than another request; MAX_READ bounds what is in memory. No byte is read twice unless it lies in
 * two frames, which a sound index never says.
 */
import { toHex } from '../format/ids.ts';

/** Unwanted bytes between two frames that are read along rather than asked for twice. */
export const MAX_GAP = 262_144;
/** A read is not made longer than this by joining; a single frame may be. */
export const MAX_READ = 4_194_304;

/** Of the whole frame (ArchiveSession.locate). `chunk` is the caller's number for it. */
export type PlacedChunk = {
  readonly chunk: number;
  readonly packId: Uint8Array;
  readonly offset: number;
  readonly length: number;
};

export type WantedFrame = {
  readonly chunk: number /** from the beginning of the read */;
  readonly at: number;
  readonly length: number;
};

export type Read = {
  readonly packId: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly frames: readonly WantedFrame[];
};

export function planReads(placed: readonly PlacedChunk[]): Read[] {
  const packs = new Map<string, PlacedChunk[]>();
  for (const chunk of placed) {
    const key = toHex(chunk.packId);
    const pack = packs.get(key);
    if (pack === undefined) packs.set(key, [chunk]);
    else pack.push(chunk);
  }
  return [...packs.values()].flatMap(readsOfPack);
}

type Draft = { readonly packId: Uint8Array; readonly offset: number; length: number; readonly frames: WantedFrame[] };

function readsOfPack(placed: PlacedChunk[]): Read[] {
  placed.sort((a, b) => a.offset - b.offset);
  const reads: Draft[] = [];
  for (const { chunk, packId, offset, length } of placed) {
    const last = reads.at(-1);
    if (last !== undefined && joins(last, offset, length)) {
      last.frames.push({ chunk, at: offset - last.offset, length });
      last.length = Math.max(last.length, offset + length - last.offset);
    } else reads.push({ packId, offset, length, frames: [{ chunk, at: 0, length }] });
  }
  return reads;
}

function joins(read: Draft, offset: number, length: number): boolean {
  const end = read.offset + read.length;
  return offset - end <= MAX_GAP && offset + length - read.offset <= MAX_READ;
}
