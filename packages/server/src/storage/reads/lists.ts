// Lists of whole objects: snapshots with their receipts, tombstones, key files, wraps, device lists.

import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { type Folder, folderPrefix, receiptName, snapshotName } from '@holdfast/archive/store/layout.ts';
import { encodeObject } from '@holdfast/protocol/storage-wire.ts';
import type { Archive } from '../index/archives.ts';
import { committedSnapshots } from '../index/snapshots.ts';
import { isMissing } from '../pack-tables.ts';
import type { StorePoint } from '../store-point.ts';

/** Objects read at once: each is small and a request of its own on an object store. */
const AT_ONCE = 16;

/** Objects of the list format, in the order of `names`; one that is gone is left out. */
async function* objects(
  point: StorePoint,
  names: readonly { readonly stored: string; readonly shown: string }[],
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = names.slice(at, at + AT_ONCE);
    const read = await Promise.all(some.map(({ stored }) => readIfThere(point.blobs, stored)));
    const parts = read.map((bytes, i) => (bytes === null ? null : encodeObject({ name: some[i]?.shown ?? '', bytes })));
    yield Buffer.concat(parts.filter((part) => part !== null));
  }
}

export async function readIfThere(blobs: Pick<BlobStore, 'get'>, name: string): Promise<Uint8Array | null> {
  try {
    return await blobs.get(name);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** `snapshots/ID` and `receipts/ID` of each committed snapshot. */
export async function listSnapshots(point: StorePoint, { id, number }: Archive): Promise<AsyncIterable<Uint8Array>> {
  const rows = await point.index.read((on) => committedSnapshots(on, number));
  return objects(
    point,
    rows.flatMap((row) => [
      { stored: snapshotName(id, row.id), shown: `snapshots/${row.id.toHex()}` },
      { stored: receiptName(id, row.id), shown: `receipts/${row.id.toHex()}` },
    ]),
  );
}

/** Everything in a folder; `withFolder` shows `folder/name` instead of `name`. */
export async function listFolder(
  point: StorePoint,
  archiveId: Uint8Array,
  folder: Folder,
  withFolder = false,
): Promise<AsyncIterable<Uint8Array>> {
  const prefix = folderPrefix(archiveId, folder);
  const names: { stored: string; shown: string }[] = [];
  for await (const { name } of point.blobs.list(prefix)) {
    const last = name.slice(prefix.length);
    names.push({ stored: name, shown: withFolder ? `${folder}/${last}` : last });
  }
  return objects(point, names);
}
