import { fromHex } from '@holdfast/archive/format/ids.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { identityName } from '@holdfast/archive/store/layout.ts';
import { storedWraps } from '@holdfast/archive/store/wraps.ts';
import type { IdentityWraps } from './authority/archives/archives.ts';
import type { Storage } from './storage/storage.ts';

/** The wraps beside the archives of this process's storage, for the authority (format §7). */
export const identityWrapsOf = (
  storage: Pick<Storage, 'readIdentityWraps'>,
  store: Pick<BlobStore, 'delete' | 'list'>,
): IdentityWraps => ({
  read: (archiveId, name) => storage.readIdentityWraps(archiveId, name),
  async remove(archiveId, name) {
    const id = fromHex(archiveId);
    for (const wrap of await storedWraps(store, id, name)) await store.delete(identityName(id, wrap));
  },
});
