/**
 * A worker's way from plaintext to packs: name the chunk, claim the name, seal what nobody has, append it, hand the pack over when it is full.
 *
 * Claims carry numbers. A pack tells the lowest of its own; beside it the worker tells its *bound*: all it claims from now on, and all
 * that lies in the pack it is filling, has at least that number. The main thread sends a tree when every lower claim is acknowledged.
 *
 * The memory of a pack comes back when it is acknowledged, to be filled again: fresh memory would be cleared, paged in and collected each time.
 */
import { createHash, hash } from 'node:crypto';
import { release } from '../crypto-node/release.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import type { Kind } from '../format/kinds.ts';
import { PACK_TARGET, PackWriter } from '../format/pack.ts';
import type { ClaimTable } from './claim-table.ts';
import type { Controls } from './shared.ts';

/** One data frame in so many is opened again before its pack leaves (ARCHIVE §4). */
const CHECKED_ONE_IN = 16;
/** A frame of the longest data chunk fits on top of a pack that is nearly full: growing would copy all of it. */
const CAPACITY = PACK_TARGET + 5 * 1024 * 1024;
export const NO_CLAIM: number = Number.MAX_SAFE_INTEGER;

export type FilledPack = {
  readonly packId: Uint8Array;
  readonly bytes: Uint8Array;
  /** n * 32 bytes. */
  readonly ids: Uint8Array;
  readonly lowest: number;
};

/** The pack that a worker was filling when it ran out of jobs. */
export type LoosePack = FilledPack & {
  /** Offset and length of each frame. */
  readonly frames: Uint32Array;
};

type FrameAt = { readonly offset: number; readonly length: number; readonly id: Uint8Array };

export class PackFiller {
  private readonly crypto: ArchiveCrypto;
  private readonly archiveId: Uint8Array;
  private readonly table: ClaimTable;
  private readonly controls: Controls;
  private readonly send: (pack: FilledPack, bound: number) => void;
  private readonly takeMemory: () => ArrayBuffer | null;
  private writer: PackWriter | null = null;
  private frames: FrameAt[] = [];
  private lowest = NO_CLAIM;
  private closeRequests = 0;
  private sealed = 0;
  storedBytes = 0;

  constructor(
    crypto: ArchiveCrypto,
    archiveId: Uint8Array,
    table: ClaimTable,
    controls: Controls,
    send: (pack: FilledPack, bound: number) => void,
    takeMemory: () => ArrayBuffer | null,
  ) {
    this.crypto = crypto;
    this.archiveId = archiveId;
    this.table = table;
    this.controls = controls;
    this.send = send;
    this.takeMemory = takeMemory;
  }

  /** The chunk's id; it is stored if nobody has it. */
  store(kind: Kind, plaintext: Uint8Array): Uint8Array {
    const id = this.crypto.chunkId(kind, plaintext);
    if (this.table.has(id)) return id;
    this.begin();
    const number = this.table.claim(id);
    if (number >= 0) this.append(number, id, this.crypto.seal(kind, id, plaintext));
    return id;
  }

  get bound(): number {
    return this.lowest === NO_CLAIM ? this.table.claims : this.lowest;
  }

  /** To be called between jobs: closes the pack early if that was asked for. */
  tend(): void {
    const requests = this.controls.closeRequests;
    if (requests === this.closeRequests) return;
    this.closeRequests = requests;
    this.close();
  }

  /** What was never sent. */
  takeLoose(): LoosePack | null {
    const { frames } = this;
    if (frames.length === 0) return null;
    const places = Uint32Array.from(frames.flatMap(({ offset, length }) => [offset, length]));
    return { ...this.take(), frames: places };
  }

  private begin(): void {
    if (this.writer !== null) return;
    this.controls.takePermit();
    const used = this.takeMemory();
    this.writer = new PackWriter(this.archiveId, newHash, used ? new Uint8Array(used) : CAPACITY);
  }

  private append(number: number, id: Uint8Array, frame: Uint8Array): void {
    const writer = this.writer as PackWriter;
    if (this.lowest === NO_CLAIM) this.lowest = number;
    const offset = writer.add(frame);
    this.frames.push({ offset, length: frame.length, id });
    this.storedBytes += frame.length;
    release(frame); // the pack has its copy
    if (writer.size >= PACK_TARGET) this.close();
  }

  private close(): void {
    if (this.frames.length === 0) return;
    const pack = this.take();
    this.send(pack, this.bound);
  }

  private take(): FilledPack {
    const bytes = (this.writer as PackWriter).finish();
    const { frames, lowest } = this;
    this.check(bytes);
    this.writer = null;
    this.frames = [];
    this.lowest = NO_CLAIM;
    return { packId: hash('sha256', bytes, 'buffer'), bytes, ids: idsOf(frames), lowest };
  }

  /** Opening compares the content with its id: what bad memory spoiled is found while the file is still there. */
  private check(bytes: Uint8Array): void {
    for (const { offset, length, id } of this.frames) {
      if (this.sealed++ % CHECKED_ONE_IN === 0) this.crypto.open(bytes.subarray(offset, offset + length), { id });
    }
  }
}

export const newHash = () => createHash('sha256');

function idsOf(frames: readonly FrameAt[]): Uint8Array {
  const ids = new Uint8Array(frames.length * 32);
  for (const [i, { id }] of frames.entries()) ids.set(id, i * 32);
  return ids;
}
