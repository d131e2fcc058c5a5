import type {
  ArchiveEndpoint,
  ArchiveSession,
  NamedObject,
  Purpose,
  StoredSnapshot,
} from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { fromHex, toHex } from '@holdfast/archive/format/ids.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { storageRoutes } from '@holdfast/protocol/storage-routes.ts';
import { decodeObjects, type WireObject } from '@holdfast/protocol/storage-wire.ts';
import { RemoteSession } from './remote-session.ts';
import { createStorageCall, type StorageCall, type StorageCallOptions } from './storage-call.ts';
import { inPortWords } from './wire-errors.ts';

/**
 * An archive on a storage server, over HTTPS: the port of `archive/endpoint` in terms of the storage routes.
 *
 * Nouns: the *authority* says who may; the *storage* keeps the bytes; a *capability* is the authority's note for the storage, one
 * for each purpose, so that whoever only reads could not write even by mistake.
 *
 * ```
 * call(purpose, route) = capability(purpose) -> storage server of its destination -> retry what is worth it
 * ```
 */
export type RemoteEndpointOptions = StorageCallOptions & { readonly archiveId: Uint8Array };

export const createRemoteEndpoint = (options: RemoteEndpointOptions): ArchiveEndpoint =>
  endpointOver(options.archiveId, createStorageCall(options));

/** The same over any way to call the routes of a storage. */
export function endpointOver(archiveId: Uint8Array, call: StorageCall): ArchiveEndpoint {
  const archive = toHex(archiveId);

  /** An archive that no storage has seen yet is an empty one. */
  async function listing(route: ListRoute, signal?: AbortSignal): Promise<WireObject[]> {
    try {
      return decodeObjects(await call('restore', route, { params: { archive } }, signal));
    } catch (error) {
      if (error instanceof ProtocolError && error.code === 'archive_unknown') return [];
      throw error;
    }
  }
  const named = async (route: ListRoute, signal?: AbortSignal): Promise<NamedObject[]> =>
    (await inPortWords(() => listing(route, signal))).sort((a, b) => (a.name < b.name ? -1 : 1));

  return {
    archiveId,
    async openSession(purpose: Purpose, signal?: AbortSignal): Promise<ArchiveSession> {
      const input = { params: { archive }, body: { purpose } };
      const { session, epoch } = await inPortWords(() => call(purpose, storageRoutes.openSession, input, signal));
      return new RemoteSession({ archiveId, id: session, epoch, purpose, call });
    },
    snapshots: async (signal) => pairSnapshots(await named(storageRoutes.snapshots, signal)),
    tombstones: async (signal) => (await named(storageRoutes.tombstones, signal)).map(({ bytes }) => bytes),
    deviceLists: async (signal) =>
      (await named(storageRoutes.deviceLists, signal)).sort((a, b) => Number(a.name) - Number(b.name)),
    keyFiles: (signal) => named(storageRoutes.keyFiles, signal),
    identityWraps: (signal) => named(storageRoutes.identityWraps, signal),
    async putDeviceList(counter, bytes, signal) {
      const input = { params: { archive, counter: String(counter) }, body: bytes };
      await inPortWords(() => call('backup', storageRoutes.putDeviceList, input, signal));
    },
    async putKeyFile(name, bytes, signal) {
      const input = { params: { archive, name: plainName(name) }, body: bytes };
      await inPortWords(() => call('backup', storageRoutes.putKeyFile, input, signal));
    },
    async putIdentityWrap(name, bytes, signal) {
      const input = { params: { archive, name: plainName(name) }, body: bytes };
      await inPortWords(() => call('backup', storageRoutes.putIdentityWrap, input, signal));
    },
  };
}

type ListRoute = (typeof storageRoutes)['snapshots' | 'tombstones' | 'keyFiles' | 'identityWraps' | 'deviceLists'];

/** A name with a slash would be another route. */
function plainName(name: string): string {
  if (name !== '' && !name.includes('/')) return name;
  throw new ArchiveError('blob_name_invalid', { name });
}

const SNAPSHOT_NAME = /^(snapshots|receipts)\/([0-9a-f]{64})$/;

/** `snapshots/ID` and `receipts/ID`, of which either may be missing; other names are passed over (format §7). */
function pairSnapshots(objects: readonly NamedObject[]): StoredSnapshot[] {
  const [snapshots, receipts] = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()];
  for (const { name, bytes } of objects) {
    const [, folder, id] = SNAPSHOT_NAME.exec(name) ?? [];
    if (id !== undefined) (folder === 'snapshots' ? snapshots : receipts).set(id, bytes);
  }
  return [...new Set([...snapshots.keys(), ...receipts.keys()])].map((id) => ({
    id: fromHex(id),
    object: snapshots.get(id) ?? null,
    receipt: receipts.get(id) ?? null,
  }));
}
