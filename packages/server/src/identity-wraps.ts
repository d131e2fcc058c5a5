import { ArchiveError } from '@holdfast/archive/errors.ts';
import { fromHex } from '@holdfast/archive/format/ids.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { identityName } from '@holdfast/archive/store/layout.ts';
import type { IdentityWraps } from './authority/archives/archives.ts';

/** The wraps of a store point in this process, for the authority (format §7). */
export const identityWrapsOf = (store: Pick<BlobStore, 'get' | 'delete'>): IdentityWraps => ({
  async read(archiveId, name) {
    try {
      return await store.get(identityName(fromHex(archiveId), name));
    } catch (error) {
      if (error instanceof ArchiveError && error.code === 'blob_missing') return null;
      throw error;
    }
  },
  remove: (archiveId, name) => store.delete(identityName(fromHex(archiveId), name)),
});
