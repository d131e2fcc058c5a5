import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLocalEndpoint } from '@holdfast/archive/endpoint/local/local-endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { combineKeyFiles } from '@holdfast/archive/keys/archive-keys.ts';
import type { Identity } from '@holdfast/archive/keys/identity.ts';
import { openKeyFile } from '@holdfast/archive/keys/key-file.ts';
import { unwrapAny } from '@holdfast/archive/keys/wrap.ts';
import { listArchives } from '@holdfast/archive/store/archives.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { openDiskStore } from '@holdfast/archive/store/disk.ts';
import { folderPrefix, identityName, PASSPHRASE_WRAP_NAME } from '@holdfast/archive/store/layout.ts';
import { storedWraps } from '@holdfast/archive/store/wraps.ts';
import { AgentError } from '../errors.ts';
import { identityFromFile } from '../keys/obtain-identity.ts';
import { wrapName } from '../keys/stored-keys.ts';
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
  const { archiveId, identity, keys } = await openOne(store, wanted, key);
  const endpoint = await openLocalEndpoint({
    store,
    archiveId,
    onEvent: (event) => {
      if (event.kind === 'packDamaged') onDamagedPack(event.packId, event.error);
    },
    ...(signal && { signal }),
  });
  const parts = { endpoint, keys, identity, seenCounter: 0, own: null, receiptKey: null, close: () => {} };
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

type Opened = { readonly archiveId: Uint8Array; readonly identity: Identity; readonly keys: ArchiveKeys };

async function openOne(store: BlobStore, candidates: readonly Uint8Array[], key: StoreKey): Promise<Opened> {
  const opened: Opened[] = [];
  let refusal: unknown;
  for (const archiveId of candidates) {
    try {
      const found = await tryOpen(store, archiveId, key);
      if (found !== null) opened.push(found);
    } catch (error) {
      // Of several archives most belong to somebody else
      if (!(error instanceof ArchiveError || error instanceof AgentError) || candidates.length === 1) throw error;
      refusal ??= error;
    }
  }
  if (opened.length === 1) return opened[0]!;
  if (opened.length > 1) {
    throw new AgentError('archive_choice', { data: { archives: opened.map(({ archiveId }) => toHex(archiveId)) } });
  }
  throw new AgentError('identity_foreign', { what: `None of ${candidates.length} archives opens`, cause: refusal });
}

/** `null` for an archive that has nothing for this key. */
async function tryOpen(store: BlobStore, archiveId: Uint8Array, key: StoreKey): Promise<Opened | null> {
  const identity = await identityFor(store, archiveId, key);
  if (identity === null) return null;
  const suffix = `-${wrapName(identity.recipient)}`;
  const files: Uint8Array[] = [];
  for await (const { name } of store.list(folderPrefix(archiveId, 'keys'))) {
    if (name.endsWith(suffix)) files.push(await store.get(name));
  }
  if (files.length === 0) return null;
  const bodies = await Promise.all(files.map((bytes) => openKeyFile(bytes, identity)));
  return { archiveId, identity, keys: combineKeyFiles(bodies) };
}

async function identityFor(store: BlobStore, archiveId: Uint8Array, key: StoreKey): Promise<Identity | null> {
  if ('identityFile' in key) return identityFromFile(key.identityFile);
  const names = await storedWraps(store, archiveId, PASSPHRASE_WRAP_NAME);
  if (names.length === 0) return null;
  const tried = key.earlier ? names : names.slice(0, 1);
  const wraps = await Promise.all(tried.map((name) => store.get(identityName(archiveId, name))));
  return unwrapAny(wraps, { passphrase: key.passphrase });
}
