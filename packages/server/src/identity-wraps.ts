import { fromHex } from '@holdfast/archive/format/ids.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { identityName } from '@holdfast/archive/store/layout.ts';
import type { IdentityWraps } from './authority/archives/archives.ts';
import type { Storage } from './storage/storage.ts';

/** The wraps beside the archives of this process's storage, for the authority (format §7). */
export const identityWrapsOf = (
  storage: Pick<Storage, 'readIdentityWrap'>,
  store: Pick<BlobStore, 'delete'>,
): IdentityWraps => ({
  read: (archiveId, name) => storage.readIdentityWrap(archiveId, name),
  remove: (archiveId, name) => store.delete(identityName(fromHex(archiveId), name)),
});
