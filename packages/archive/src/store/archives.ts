// Which archives lie in a store point: for `restore --store DIR` and for rebuilding an index from the store alone.

import { fromHex } from '../format/ids.ts';
import type { BlobStore } from './blob-store.ts';
import { ARCHIVES_PREFIX } from './layout.ts';

const ARCHIVE_OF = /^archives\/([0-9a-f]{32})\//;

/** The ids of all archives, ascending; each costs one listing that is left after its first name, however large the archive is. */
export async function* listArchives(store: Pick<BlobStore, 'list'>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let after = ARCHIVES_PREFIX; ; ) {
    const name = await firstName(store, after, signal);
    if (name === null) return;
    const hex = ARCHIVE_OF.exec(name)?.[1];
    if (hex !== undefined) yield fromHex(hex);
    // '~' is greater than every character of a name: the next listing begins behind all of this archive.
    after = hex === undefined ? name : `${ARCHIVES_PREFIX}${hex}/~`;
  }
}

async function firstName(store: Pick<BlobStore, 'list'>, after: string, signal?: AbortSignal): Promise<string | null> {
  for await (const { name } of store.list(ARCHIVES_PREFIX, signal ? { after, signal } : { after })) return name;
  return null;
}
