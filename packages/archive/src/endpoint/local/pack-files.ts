// What lies in the packs of an archive, by their tables (format §4), without any key.

import { createHash, hash } from 'node:crypto';
import { ArchiveError } from '../../errors.ts';
import { equalBytes, toHex } from '../../format/ids.ts';
import { type PackedFrame, readPackTable, readPackTail } from '../../format/pack.ts';
import { PackStream } from '../../format/pack-stream.ts';
import type { BlobInfo, BlobStore } from '../../store/blob-store.ts';
import { folderPrefix, parseName } from '../../store/layout.ts';

export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
const newHash = () => createHash('sha256');

/** Holds the table of nearly every pack of data; that of a pack of trees may need a second read. */
const TAIL_GUESS = 32_768;

export type FoundPack = {
  readonly packId: Uint8Array;
  readonly frames: readonly PackedFrame[];
  /** Why not all of it is as it should be; `frames` is what is left. */
  readonly damage: ArchiveError | null;
};

type Reading = Pick<BlobStore, 'get' | 'list'>;

/** The packs of an archive by name, ascending. What is no pack by its name is passed over. */
export async function* listPacks(
  store: Pick<BlobStore, 'list'>,
  archiveId: Uint8Array,
  signal?: AbortSignal,
): AsyncGenerator<BlobInfo & { readonly packId: Uint8Array }> {
  for await (const info of store.list(folderPrefix(archiveId, 'packs'), signal ? { signal } : {})) {
    const object = parseName(info.name);
    if (object?.kind === 'pack') yield { ...info, packId: object.id };
  }
}

/** `null` when the pack went away since it was listed. Rejects only when the store does not answer. */
export async function readPack(
  store: Pick<BlobStore, 'get'>,
  archiveId: Uint8Array,
  { name, size, packId }: BlobInfo & { readonly packId: Uint8Array },
): Promise<FoundPack | null> {
  try {
    return { packId, frames: await framesByTail(store, name, size), damage: null };
  } catch (error) {
    if (isGone(error)) return null;
    if (!isDamage(error)) throw error;
    return readDamaged(store, archiveId, name, packId, error);
  }
}

async function framesByTail(store: Pick<BlobStore, 'get'>, name: string, size: number): Promise<PackedFrame[]> {
  const read = (length: number): Promise<Uint8Array> => store.get(name, { offset: size - length, length });
  const found = readPackTail(await read(Math.min(size, TAIL_GUESS)), size, newHash);
  if (Array.isArray(found)) return found;
  const again = readPackTail(await read(found.need), size, newHash);
  if (Array.isArray(again)) return again;
  throw new ArchiveError('pack_invalid', { detail: 'its table has no end' });
}

/** The entries in front of the frames replace a damaged table (format §4). */
async function readDamaged(
  store: Pick<BlobStore, 'get'>,
  archiveId: Uint8Array,
  name: string,
  packId: Uint8Array,
  damage: ArchiveError,
): Promise<FoundPack | null> {
  try {
    return { packId, frames: readPackTable(await store.get(name), archiveId, newHash), damage };
  } catch (error) {
    if (isGone(error)) return null;
    if (!isDamage(error)) throw error;
    return { packId, frames: [], damage: error };
  }
}

/** The frames of a pack that is to be stored. It must be exact: by hash, by archive, by table. */
export function verifyPack(packId: Uint8Array, bytes: Uint8Array, archiveId: Uint8Array): readonly PackedFrame[] {
  const stream = new PackStream(archiveId, newHash);
  stream.push(bytes);
  const { packId: actual, frames } = stream.end();
  if (!equalBytes(actual, packId))
    throw new ArchiveError('pack_invalid', { id: packId, detail: `its bytes hash to ${toHex(actual)}` });
  return frames;
}

/** Frames with links of the given packs, pack by pack. */
export async function* linkedFrames(
  store: Reading,
  archiveId: Uint8Array,
  packs: Iterable<BlobInfo & { readonly packId: Uint8Array }>,
): AsyncGenerator<PackedFrame> {
  for (const pack of packs) {
    const found = await readPack(store, archiveId, pack);
    for (const frame of found?.frames ?? []) if (frame.entry.links.length > 0) yield frame;
  }
}

const isGone = (error: unknown): boolean => error instanceof ArchiveError && error.code === 'blob_missing';

const DAMAGE: ReadonlySet<string> = new Set([
  'pack_invalid',
  'format_invalid',
  'unknown_version',
  'wrong_archive',
  'blob_short',
]);
const isDamage = (error: unknown): error is ArchiveError => error instanceof ArchiveError && DAMAGE.has(error.code);
