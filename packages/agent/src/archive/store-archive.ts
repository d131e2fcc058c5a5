import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLocalEndpoint, type SmallObjects, smallObjects } from '@holdfast/archive/endpoint/local/local-endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { newestDeviceList } from '@holdfast/archive/keys/device-list.ts';
import type { Identity } from '@holdfast/archive/keys/identity.ts';
import { listArchives } from '@holdfast/archive/store/archives.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { openDiskStore } from '@holdfast/archive/store/disk.ts';
import { folderPrefix, PASSPHRASE_WRAP_NAME } from '@holdfast/archive/store/layout.ts';
import { wrapsNamed } from '@holdfast/archive/store/wraps.ts';
import { AgentError } from '../errors.ts';
import { identityFromFile, identityFromPassphrase } from '../keys/obtain-identity.ts';
import { keyFilesOf, type ReadableKeys, readArchiveKeys } from '../keys/stored-keys.ts';
import { type OpenedArchive, openParts } from './opened-archive.ts';

/**
 * An archive straight from the folder of a store point, with nothing else: no server, no database, no enrolment (format §8).
 *
 * ```
 * which archive:  the one asked for, or the only one that the key opens
 * its key:        the exported identity, or the archive password and the wrap that lies in the store
 * ```
 */
export type StoreKey =
  | { readonly identityFile: string }
  /** `earlier`: or one from before its last change. */
  | { readonly passphrase: string; readonly earlier: boolean };

export type StoreOptions = {
  /** A folder, or its `file://` URL. */
  readonly store: string;
  readonly cwd: string;
  /** Id, hex, or its first digits. */
  readonly archive?: string;
  readonly key: StoreKey;
  readonly onDamagedPack: (packId: Uint8Array, error: ArchiveError) => void;
  readonly signal?: AbortSignal;
};

export async function openStoreArchive(options: StoreOptions): Promise<OpenedArchive> {
  const { archive, key, onDamagedPack, signal } = options;
  const store = await openDiskStore(storeFolder(options.store, options.cwd));
  const candidates = await Array.fromAsync(listArchives(store, signal));
  if (candidates.length === 0) throw new AgentError('store_unreadable', { what: options.store });
  const wanted = candidates.filter((id) => archive === undefined || toHex(id).startsWith(archive.toLowerCase()));
  const { archiveId, identity, keys, damaged } = await openOne(store, wanted, key);
  const endpoint = await openLocalEndpoint({
    store,
    archiveId,
    onEvent: (event) => {
      if (event.kind === 'packDamaged') onDamagedPack(event.packId, event.error);
    },
    ...(signal && { signal }),
  });
  const parts = { endpoint, keys, identity, damaged, seenCounter: 0, own: null, receiptKey: null, close: () => {} };
  return openParts({ ...parts, ...(signal && { signal }) });
}

/** Other addresses would need a listing that plain HTTP does not have: docs/guide/recovery.md says what to do instead. */
export function storeFolder(store: string, cwd: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(store)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'file') throw new AgentError('store_unsupported', { what: store });
  const folder = scheme === 'file' ? fileURLToPath(store) : resolve(cwd, store);
  // The folder of the archives itself is a likely slip
  if (!existsSync(join(folder, 'archives')) && folder.endsWith('archives')) return resolve(folder, '..');
  return folder;
}

type Opened = ReadableKeys & { readonly archiveId: Uint8Array; readonly identity: Identity };

async function openOne(store: BlobStore, candidates: readonly Uint8Array[], key: StoreKey): Promise<Opened> {
  const opened: Opened[] = [];
  const refusals: (ArchiveError | AgentError)[] = [];
  for (const archiveId of candidates) {
    try {
      const found = await tryOpen(smallObjects(store, archiveId), key);
      if (found !== null) opened.push(found);
    } catch (error) {
      // Of several archives most belong to somebody else
      if (!(error instanceof ArchiveError || error instanceof AgentError) || candidates.length === 1) throw error;
      refusals.push(error);
    }
  }
  if (opened.length === 1) return opened[0]!;
  if (opened.length > 1) {
    throw new AgentError('archive_choice', { data: { archives: opened.map(({ archiveId }) => toHex(archiveId)) } });
  }
  // Whose archive it is then matters more than that the key opens no other
  const damage = refusals.find(({ code }) => code === 'key_file_damaged' || code === 'wrap_damaged');
  if (damage !== undefined) throw damage;
  const what = candidates.length === 1 ? 'The archive does not open' : `None of ${candidates.length} archives opens`;
  throw new AgentError('identity_foreign', { what, cause: refusals[0] });
}

/** `null` for an archive that has nothing for this key. */
async function tryOpen(archive: SmallObjects, key: StoreKey): Promise<Opened | null> {
  const { archiveId } = archive;
  const identity = await identityFor(archive, key);
  if (identity === null) return null;
  if (keyFilesOf(await archive.keyFiles(), identity).length > 0)
    return { archiveId, identity, ...(await readArchiveKeys(archive, identity)) };
  if (!(await hasSigned(archive, identity))) return null;
  const folder = folderPrefix(archiveId, 'keys');
  throw new AgentError('key_file_damaged', {
    what: `${folder} holds no key file for this key, although it signed here`,
  });
}

/** Whoever signed a device list of the archive had its keys. */
async function hasSigned(archive: SmallObjects, { signing }: Identity): Promise<boolean> {
  try {
    await newestDeviceList(await archive.deviceLists(), archive.archiveId, [signing.publicKey]);
    return true;
  } catch (error) {
    if (error instanceof ArchiveError) return false;
    throw error;
  }
}

async function identityFor(archive: SmallObjects, key: StoreKey): Promise<Identity | null> {
  if ('identityFile' in key) return identityFromFile(key.identityFile);
  const wraps = wrapsNamed(await archive.identityWraps(), PASSPHRASE_WRAP_NAME);
  if (wraps.length === 0) return null;
  return identityFromPassphrase(archive.archiveId, wraps, key);
}
