/** Reading one entry: content, attributes, and what is told when the file system refuses. */
import { codeOf, isGone } from '../source/node-source.ts';
import { rowChangedMs, rowSize } from '../source/rows.ts';
import type { Extent, OpenFile, Xattr } from '../source/source.ts';
import type { ItemReport } from './job-report.ts';
import { Stopped } from './shared.ts';

/** A file that changed so shortly before its reading began may change again without a new time stamp, ms. */
const SETTLED_MS = 2_000;

/** What is known of a file beside its content once it has been read. */
export type Metadata = {
  readonly row: Buffer;
  readonly xattrs: readonly Xattr[];
  readonly note: string;
  readonly extents: readonly Extent[] | null;
  readonly again: boolean;
};

/** Reads until the end or until `limit`, and looks at the file afterwards. The row's size is what was read. */
export function readUpTo(file: OpenFile, into: Buffer, at: number, limit: number): { length: number; row: Buffer } {
  let length = file.read(into, at, limit, null);
  let row = file.stat();
  while (length < limit && length !== rowSize(row, 0)) {
    const more = file.read(into, at + length, limit - length, null);
    if (more === 0) break;
    length += more;
    row = file.stat();
  }
  row.writeDoubleLE(length, 32);
  return { length, row };
}

/** Of a file of which `length` bytes were read: where its data lies, or `null` when there is no hole. */
export function extentsWithin(length: number, extents: readonly Extent[] | null): readonly Extent[] | null {
  if (extents === null) return null;
  // It may have shrunk since it was asked where its data lies
  const within = extents
    .filter(([offset]) => offset < length)
    .map(([offset, size]): Extent => [offset, Math.min(size, length - offset)]);
  const dense = length === 0 || (within.length === 1 && within[0]?.[1] === length);
  return dense ? null : within;
}

/** Moves the bytes of the extents, which count from `at`, together; returns how many they are. */
export function leaveHolesOut(bytes: Buffer, at: number, extents: readonly Extent[]): number {
  let end = at;
  for (const [offset, length] of extents) {
    bytes.copyWithin(end, at + offset, at + offset + length);
    end += length;
  }
  return end - at;
}

/** Did the file rest long enough before its reading began for any later change to show? */
export function settled(row: Buffer, began: number): boolean {
  return rowChangedMs(row, 0) <= began - SETTLED_MS;
}

/** Content is worth more than its attributes: what cannot be read of them is noted. */
export function readXattrs(read: () => readonly Xattr[]): { xattrs: readonly Xattr[]; note: string } {
  try {
    return { xattrs: read(), note: '' };
  } catch (error) {
    const report = failure(error);
    return { xattrs: [], note: report.kind === 'failed' ? report.reason : '' };
  }
}

export function failure(error: unknown): ItemReport {
  if (error instanceof Stopped) throw error;
  // What the file system refuses is an outcome; anything else is a fault of ours and ends the run.
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) throw error;
  return { kind: 'failed', reason: codeOf(error), gone: isGone(error) };
}
