// The errors every store has in common, so that their data is the same everywhere (blob-store.ts).

import { ArchiveError } from '../errors.ts';
import type { BlobRange } from './blob-store.ts';

export const blobMissing = (name: string, cause?: unknown): ArchiveError =>
  new ArchiveError('blob_missing', { name, detail: name }, cause === undefined ? {} : { cause });

export const blobShort = (name: string, size: number): ArchiveError =>
  new ArchiveError('blob_short', { name, size, detail: `${name} has ${size} bytes` });

/** Throws `blob_short` when the range does not lie inside a blob of `size` bytes. */
export function checkRange(name: string, size: number, { offset, length }: BlobRange): void {
  if (!isLength(offset) || !isLength(length) || offset + length > size) throw blobShort(name, size);
}

const isLength = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
