// An archive straight over a BlobStore, without a server: for a store on an own disk, for `restore --store DIR` and for benchmarks. The
// index of chunks is built at opening from the packs' tables, since no database is asked (format §8); local-archive.ts holds
// it, local-session.ts answers questions, here are the other objects of the archive.

import { randomUUID } from 'node:crypto';
import { ArchiveError } from '../../errors.ts';
import { equalBytes, toHex } from '../../format/ids.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import {
  deviceListName,
  type Folder,
  folderPrefix,
  keyFileName,
  parseName,
  type StoredObject,
} from '../../store/layout.ts';
import { appendWrap } from '../../store/wraps.ts';
import type { ArchiveEndpoint, ArchiveSession, NamedObject, Purpose, StoredSnapshot } from '../endpoint.ts';
import { concurrently } from './concurrently.ts';
import { LocalArchive, type LocalEvent } from './local-archive.ts';
import { LocalSession } from './local-session.ts';

export type LocalEndpointOptions = {
  readonly store: BlobStore;
  readonly archiveId: Uint8Array;
  /** What is damaged does not keep the rest from being read; it is told here. */
  readonly onEvent?: (event: LocalEvent) => void;
  readonly signal?: AbortSignal;
  readonly unique?: () => string;
};

const READS_AT_A_TIME = 16;

/** An archive that the store does not hold yet opens as an empty one. */
export async function openLocalEndpoint(options: LocalEndpointOptions): Promise<LocalEndpoint> {
  const { store, archiveId, onEvent = () => undefined, signal, unique = randomUUID } = options;
  const archive = new LocalArchive(store, archiveId, unique());
  await archive.load(onEvent, signal);
  return new LocalEndpoint(archive, unique);
}

export type SmallObjects = Pick<ArchiveEndpoint, 'archiveId' | 'keyFiles' | 'identityWraps' | 'deviceLists'>;

/** What lies beside the packs, for whoever does not know yet whether this is the archive: the packs are not read. */
export const smallObjects = (store: BlobStore, archiveId: Uint8Array): SmallObjects =>
  new LocalEndpoint(new LocalArchive(store, archiveId, ''), randomUUID);

export class LocalEndpoint implements ArchiveEndpoint {
  readonly archiveId: Uint8Array;
  private readonly archive: LocalArchive;
  private readonly store: BlobStore;
  private readonly unique: () => string;

  /** Use `openLocalEndpoint`. */
  constructor(archive: LocalArchive, unique: () => string) {
    this.archive = archive;
    this.archiveId = archive.archiveId;
    this.store = archive.store;
    this.unique = unique;
  }

  async openSession(_purpose: Purpose, signal?: AbortSignal): Promise<ArchiveSession> {
    signal?.throwIfAborted();
    return new LocalSession(this.archive, this.unique());
  }

  /** Receipts are there when the store was a server's before. */
  async snapshots(signal?: AbortSignal): Promise<StoredSnapshot[]> {
    const receipts = await this.readAll('receipts', signal, async (stored, receipt) =>
      stored.kind === 'receipt' ? { id: stored.id, receipt } : null,
    );
    const receiptOf = new Map(receipts.map(({ id, receipt }) => [toHex(id), receipt]));
    const snapshots: StoredSnapshot[] = await this.readAll('snapshots', signal, async (stored, object) =>
      stored.kind === 'snapshot' ? { id: stored.id, object, receipt: receiptOf.get(toHex(stored.id)) ?? null } : null,
    );
    const explained = new Set(snapshots.map(({ id }) => toHex(id)));
    for await (const { name } of this.store.list(folderPrefix(this.archiveId, 'tombstones'), listing(signal)))
      explained.add(name.slice(name.lastIndexOf('/') + 1));
    const lost = receipts.filter(({ id }) => !explained.has(toHex(id)));
    return [...snapshots, ...lost.map(({ id, receipt }) => ({ id, object: null, receipt }))];
  }

  tombstones(signal?: AbortSignal): Promise<Uint8Array[]> {
    return this.readAll('tombstones', signal, async (stored, bytes) => (stored.kind === 'tombstone' ? bytes : null));
  }

  /** Their names are their counters, all of the same length. */
  deviceLists(signal?: AbortSignal): Promise<NamedObject[]> {
    return this.named('devices', signal);
  }

  async putDeviceList(counter: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.putOnce(deviceListName(this.archiveId, counter), bytes, signal);
  }

  keyFiles(signal?: AbortSignal): Promise<NamedObject[]> {
    return this.named('keys', signal);
  }

  async putKeyFile(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.putOnce(keyFileName(this.archiveId, name), bytes, signal);
  }

  identityWraps(signal?: AbortSignal): Promise<NamedObject[]> {
    return this.named('identities', signal);
  }

  async putIdentityWrap(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if ((await appendWrap(this.store, this.archiveId, name, bytes)) === 'full')
      throw new ArchiveError('object_conflict', { name });
  }

  private async named(
    folder: 'keys' | 'identities' | 'devices',
    signal: AbortSignal | undefined,
  ): Promise<NamedObject[]> {
    const objects = await this.readAll(folder, signal, async (_stored, bytes, name) => ({ name, bytes }));
    return objects.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Never replaces: a damaged or foreign object is for a person to judge. */
  private async putOnce(name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if ((await this.store.put(name, bytes, { ifAbsent: true })) === 'stored') return;
    if (!equalBytes(await this.store.get(name, undefined, signal), bytes))
      throw new ArchiveError('object_conflict', { name });
  }

  /** What `use` makes of each object of a folder that has a proper name. */
  private async readAll<T>(
    folder: Folder,
    signal: AbortSignal | undefined,
    use: (stored: StoredObject, bytes: Uint8Array, lastName: string) => Promise<T | null>,
  ): Promise<T[]> {
    const read = async ({ name }: { readonly name: string }): Promise<T | null> => {
      const stored = parseName(name);
      const bytes = stored === null ? null : await this.getIfThere(name, signal);
      if (stored === null || bytes === null) return null;
      return use(stored, bytes, name.slice(name.lastIndexOf('/') + 1));
    };
    const listed = this.store.list(folderPrefix(this.archiveId, folder), listing(signal));
    const all = await Array.fromAsync(concurrently(listed, READS_AT_A_TIME, read));
    return all.filter((one) => one !== null);
  }

  /** `null` for what went away since it was listed. */
  private async getIfThere(name: string, signal: AbortSignal | undefined): Promise<Uint8Array | null> {
    try {
      return await this.store.get(name, undefined, signal);
    } catch (error) {
      if (error instanceof ArchiveError && error.code === 'blob_missing') return null;
      throw error;
    }
  }
}

const listing = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });
