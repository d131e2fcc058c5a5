/**
 * The segments of a file (format §3.4, §5.4): in its entry, or in list chunks, which are leaves of segments or indexes by position.
 */
import { ArchiveError, invalid } from '../errors.ts';
import { KIND } from '../format/kinds.ts';
import { decodeList, type ListBody } from '../format/list.ts';
import { segmentsLength } from '../format/segments.ts';
import type { Segment, TreeEntry } from '../format/tree.ts';
import { type ChunkReader, chunkOf, type OpenedChunk } from './chunk-reader.ts';
import { MAX_LEVELS } from './directory.ts';

/** List chunks read at a time. */
const BATCH = 16;

/** How many bytes the segments of a file hold: its size without the holes. */
export function dataLength({ size = 0, extents }: TreeEntry): number {
  return extents === undefined ? size : extents.reduce((sum, [, length]) => sum + length, 0);
}

export type SegmentRun =
  /** Segments and the position, in the joined segments of the file, at which the first of them begins. */
  | { readonly kind: 'run'; readonly position: number; readonly segments: readonly Segment[] }
  /** A list chunk could not be had, so that the file cannot be put together. */
  | { readonly kind: 'damaged'; readonly error: ArchiveError };

/**
 * The segments of a file in order, some at a time. From a list only those chunks are read that hold something of the
 * positions from `from` up to `to`; runs may begin before and end after.
 */
export async function* segmentsOf(
  reader: ChunkReader,
  entry: TreeEntry,
  { from = 0, to = dataLength(entry) }: { readonly from?: number; readonly to?: number } = {},
  signal?: AbortSignal,
): AsyncGenerator<SegmentRun> {
  if (entry.list === undefined) {
    if (entry.segments !== undefined) yield { kind: 'run', position: 0, segments: entry.segments };
    return;
  }
  const part = { id: entry.list, position: 0, end: dataLength(entry), level: 0 };
  yield* runsOf(reader, [part], from, to, signal);
}

/** A list chunk and the positions that it must cover exactly. */
type ListPart = { readonly id: Uint8Array; readonly position: number; readonly end: number; readonly level: number };

async function* runsOf(
  reader: ChunkReader,
  parts: readonly ListPart[],
  from: number,
  to: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<SegmentRun> {
  const wanted = parts.filter(({ position, end }) => position < to && end > from);
  for (let at = 0; at < wanted.length; at += BATCH) {
    const batch = wanted.slice(at, at + BATCH);
    const answers = await reader.read(
      batch.map(({ id }) => id),
      signal,
    );
    for (const [index, part] of batch.entries()) {
      const next = openPart(part, answers[index]);
      if (Array.isArray(next)) yield* runsOf(reader, next, from, to, signal);
      else yield next;
    }
  }
}

/** What a list chunk stands for: segments, or the chunks below it. */
function openPart(part: ListPart, answer: OpenedChunk | ArchiveError | undefined): SegmentRun | ListPart[] {
  try {
    const chunk = chunkOf(answer, KIND.list);
    const body = decodeList(chunk.links, chunk.plaintext);
    return body.segments === undefined ? childrenOf(part, body) : leafRun(part, body.segments);
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return { kind: 'damaged', error };
  }
}

function leafRun({ position, end }: ListPart, segments: readonly Segment[]): SegmentRun {
  if (segmentsLength(segments) !== end - position) throw invalid('list', 'it is not as long as what names it says');
  return { kind: 'run', position, segments };
}

function childrenOf({ position, end, level }: ListPart, { children = [] }: ListBody): ListPart[] {
  if (level === MAX_LEVELS) throw invalid('list', `more than ${MAX_LEVELS} levels`);
  return children.map(({ start, id }, index) => {
    const next = children[index + 1]?.start;
    const part = { id, position: position + start, end: next === undefined ? end : position + next, level: level + 1 };
    if (part.position >= part.end || part.end > end) throw invalid('list', 'its children pass its end');
    return part;
  });
}

/** A stretch of a file: where it lies in the joined segments, and where in the file. */
export type Stretch = { readonly position: number; readonly offset: number; readonly length: number };

/** Answers where the joined bytes of a file from `position` on belong in it: around its holes (format §5.3). */
export type Placer = (position: number, length: number) => readonly Stretch[];

export function placerOf(extents: TreeEntry['extents']): Placer {
  if (extents === undefined) return (position, length) => [{ position, offset: position, length }];
  const starts = startsOf(extents);
  return (position, length) => {
    const stretches: Stretch[] = [];
    for (let i = extentAt(starts, position); i < extents.length && (starts[i] as number) < position + length; i++) {
      const [offset, size] = extents[i] as readonly [number, number];
      const start = starts[i] as number;
      const from = Math.max(start, position);
      const to = Math.min(start + size, position + length);
      if (from < to) stretches.push({ position: from, offset: offset + from - start, length: to - from });
    }
    return stretches;
  };
}

/** The position in the joined bytes at which each extent begins. */
function startsOf(extents: readonly (readonly [number, number])[]): Float64Array {
  const starts = new Float64Array(extents.length);
  let sum = 0;
  for (const [index, [, length]] of extents.entries()) {
    starts[index] = sum;
    sum += length;
  }
  return starts;
}

/** The last extent that begins at or before `position`. */
function extentAt(starts: Float64Array, position: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) <= position) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}
