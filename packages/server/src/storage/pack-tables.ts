// The tables of stored packs: what lies where, and which trees link what, without any key.

import { createHash } from 'node:crypto';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { type PackedFrame, readPackTable, readPackTail } from '@holdfast/archive/format/pack.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { packName } from '@holdfast/archive/store/layout.ts';

export const newSha256 = () => createHash('sha256');

/** Holds the table of nearly every pack of data; one of trees may need a second read. */
const TAIL_GUESS = 64 * 1024;

export type TableResult =
  | { readonly kind: 'frames'; readonly frames: readonly PackedFrame[]; readonly damage: ArchiveError | null }
  | { readonly kind: 'missing' };

const DAMAGE: ReadonlySet<string> = new Set([
  'pack_invalid',
  'format_invalid',
  'unknown_version',
  'wrong_archive',
  'blob_short',
]);

export const isDamage = (error: unknown): error is ArchiveError =>
  error instanceof ArchiveError && DAMAGE.has(error.code);

export const isMissing = (error: unknown): boolean => error instanceof ArchiveError && error.code === 'blob_missing';

/**
 * What a pack says lies in it. Where the table is damaged the entries in front of the frames stand in, as far as they
 * lead: then `damage` says why. Rejects only when the store does not answer.
 */
export async function readTable(
  blobs: Pick<BlobStore, 'get'>,
  archiveId: Uint8Array,
  pack: { readonly id: Uint8Array; readonly size: number },
  signal?: AbortSignal,
): Promise<TableResult> {
  const name = packName(archiveId, pack.id);
  try {
    return { kind: 'frames', frames: await framesByTail(blobs, name, pack.size, signal), damage: null };
  } catch (error) {
    if (isMissing(error)) return { kind: 'missing' };
    if (!isDamage(error)) throw error;
    return readDamaged(blobs, archiveId, name, error, signal);
  }
}

async function framesByTail(
  blobs: Pick<BlobStore, 'get'>,
  name: string,
  size: number,
  signal: AbortSignal | undefined,
): Promise<PackedFrame[]> {
  const read = (length: number) => blobs.get(name, { offset: size - length, length }, signal);
  const first = readPackTail(await read(Math.min(size, TAIL_GUESS)), size, newSha256);
  if (Array.isArray(first)) return first;
  const second = readPackTail(await read(first.need), size, newSha256);
  if (Array.isArray(second)) return second;
  throw new ArchiveError('pack_invalid', { name, detail: 'its table has no end' });
}

async function readDamaged(
  blobs: Pick<BlobStore, 'get'>,
  archiveId: Uint8Array,
  name: string,
  damage: ArchiveError,
  signal: AbortSignal | undefined,
): Promise<TableResult> {
  try {
    const bytes = await blobs.get(name, undefined, signal);
    return { kind: 'frames', frames: readPackTable(bytes, archiveId, newSha256), damage };
  } catch (error) {
    if (isMissing(error)) return { kind: 'missing' };
    if (!isDamage(error)) throw error;
    return { kind: 'frames', frames: [], damage: error };
  }
}
