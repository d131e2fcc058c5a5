/**
 * What an archive holds, as far as it can be trusted: the newest signed device list, and each snapshot checked as format §6.1 asks. Runs in a
 * browser too.
 *
 * Nouns: a *refused* object did not pass and is never restored from; a *problem* is something about a snapshot that passed that a
 * person should know. Both are data: a store can add nonsense, but must not be able to hide the good snapshots behind it.
 */
import { createArchiveCrypto } from '../crypto/archive-crypto.ts';
import type { ArchiveEndpoint, StoredSnapshot } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import type { DeviceList } from '../format/device-list.ts';
import { equalBytes, toHex } from '../format/ids.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import { decodeReceipt } from '../format/receipt.ts';
import type { Envelope } from '../format/snapshot.ts';
import { decodeStatement } from '../format/statement.ts';
import { decodeTombstone } from '../format/tombstone.ts';
import { newestDeviceList, type RefusedList } from '../keys/device-list.ts';
import { envelopeOf, openStoredSnapshot, type VerifiedSnapshot } from '../keys/snapshot.ts';
import { openReceipt, openTombstone } from '../keys/statement.ts';

export type Trust = {
  /** Public signing keys of the user's identity, and of earlier ones: who may sign device lists. */
  readonly identities: readonly Uint8Array[];
  /** The highest counter of a device list that this reader has seen. */
  readonly seenCounter?: number;
  /** Receipt keys of the known servers. Without them (a store read directly) receipts count as they stand. */
  readonly servers?: readonly Uint8Array[];
};

export type SnapshotProblem =
  /** No server vouches for when it arrived. */
  | 'receipt_missing'
  /** The receipt is not a known server's, or another snapshot's. */
  | 'receipt_invalid'
  /** The device's clock and the server's differ by an hour or more. */
  | 'clock_off'
  /** The clock of the device went back since the snapshot before. */
  | 'clock_backwards'
  /** It arrived after its device was removed. */
  | 'device_removed'
  /** The snapshot before it is neither there nor known to be retired. */
  | 'parent_missing'
  /** Another one follows the same snapshot: an old disk image, or two machines under one name. */
  | 'fork';

export type SnapshotInfo = VerifiedSnapshot & {
  /** ms; null when no server vouches for it. */
  readonly receivedAt: number | null;
  /** When it was made, for people: received, or else the device's own time. */
  readonly at: number;
  readonly problems: readonly SnapshotProblem[];
};

/** One that did not pass; whatever else is known of it helps to say what is missing. */
export type RefusedSnapshot = {
  readonly id: Uint8Array;
  readonly error: ArchiveError;
  /** `null` unless it is whole. */
  readonly envelope: Envelope | null;
  /** ms, by its receipt; null when no server vouches for it. */
  readonly receivedAt: number | null;
  /** A snapshot that passed follows it, so it is not the newest of its chain. */
  readonly followed: boolean;
};

export type ListedSnapshots = {
  /** Oldest first. */
  readonly snapshots: readonly SnapshotInfo[];
  readonly refused: readonly RefusedSnapshot[];
};

export type ArchiveReader = {
  readonly devices: DeviceList;
  /** Device lists that did not verify. */
  readonly refusedLists: readonly RefusedList[];
  listSnapshots(signal?: AbortSignal): Promise<ListedSnapshots>;
};

/** An hour: what people notice, and more than any clock that is set by the network is off. */
export const CLOCK_TOLERANCE = 3_600_000;

type Source = Pick<ArchiveEndpoint, 'archiveId' | 'deviceLists' | 'snapshots' | 'tombstones'>;

export async function openArchive(
  endpoint: Source,
  keys: ArchiveKeys,
  trust: Trust,
  signal?: AbortSignal,
): Promise<ArchiveReader> {
  if (!equalBytes(endpoint.archiveId, keys.archiveId)) throw new ArchiveError('wrong_archive', { record: 'keys' });
  const lists = await endpoint.deviceLists(signal);
  const { list, refused } = await newestDeviceList(lists, keys.archiveId, trust.identities, trust.seenCounter ?? 0);
  return {
    devices: list,
    refusedLists: refused,
    listSnapshots: (stop) => listSnapshots(endpoint, keys, list, trust, stop),
  };
}

type Checked = { readonly snapshot: VerifiedSnapshot; readonly received: Received };
type Failed = { readonly stored: StoredSnapshot; readonly error: ArchiveError };
type Received = { readonly at: number } | { readonly problem: 'receipt_missing' | 'receipt_invalid' };

async function listSnapshots(
  endpoint: Source,
  keys: ArchiveKeys,
  devices: DeviceList,
  trust: Trust,
  signal: AbortSignal | undefined,
): Promise<ListedSnapshots> {
  const crypto = createArchiveCrypto(keys);
  const checked: Checked[] = [];
  const failed: Failed[] = [];
  for (const stored of await endpoint.snapshots(signal)) {
    const snapshot = await orError(() => openStoredSnapshot(stored, crypto, devices));
    if (snapshot instanceof ArchiveError) failed.push({ stored, error: snapshot });
    else checked.push({ snapshot, received: await receivedOf(snapshot.id, stored.receipt, trust) });
  }
  const retired = await retiredIds(endpoint, trust, signal);
  const parents = new Set(checked.map(({ snapshot: { envelope } }) => envelope.parent && toHex(envelope.parent)));
  const refused = await Promise.all(failed.map((each) => refusedOf(each, parents, trust)));
  const byId = new Map(checked.map((each) => [toHex(each.snapshot.id), each]));
  const children = Map.groupBy(checked, ({ snapshot: { envelope } }) => chainKey(envelope));
  const snapshots = checked.map((each) => {
    const { parent } = each.snapshot.envelope;
    const before = parent === null ? undefined : byId.get(toHex(parent));
    const siblings = children.get(chainKey(each.snapshot.envelope)) ?? [];
    const orphan = parent !== null && before === undefined && !retired.has(toHex(parent));
    return describe(each, before?.snapshot, siblings.length > 1, orphan);
  });
  snapshots.sort((a, b) => a.at - b.at || a.envelope.sequence - b.envelope.sequence);
  return { snapshots, refused };
}

function describe(
  { snapshot, received }: Checked,
  before: VerifiedSnapshot | undefined,
  fork: boolean,
  orphan: boolean,
): SnapshotInfo {
  const { envelope, device } = snapshot;
  const receivedAt = 'at' in received ? received.at : null;
  const problems: SnapshotProblem[] = [];
  if ('problem' in received) problems.push(received.problem);
  if (receivedAt !== null && Math.abs(receivedAt - envelope.deviceTime) >= CLOCK_TOLERANCE) problems.push('clock_off');
  if (before !== undefined && before.envelope.deviceTime > envelope.deviceTime) problems.push('clock_backwards');
  if (device.removed !== null && (receivedAt ?? envelope.deviceTime) > device.removed) problems.push('device_removed');
  if (orphan) problems.push('parent_missing');
  if (fork) problems.push('fork');
  return { ...snapshot, receivedAt, at: receivedAt ?? envelope.deviceTime, problems };
}

/** The same for all that follow the same snapshot of the same chain. */
function chainKey({ deviceId, setId, destinationId, parent }: VerifiedSnapshot['envelope']): string {
  return [deviceId, setId, destinationId, parent ?? new Uint8Array(0)].map(toHex).join();
}

async function refusedOf(
  { stored, error }: Failed,
  parents: ReadonlySet<string | null>,
  trust: Trust,
): Promise<RefusedSnapshot> {
  const { id, receipt } = stored;
  const received = await receivedOf(id, receipt, trust);
  return {
    id,
    error,
    envelope: await envelopeOf(stored),
    receivedAt: 'at' in received ? received.at : null,
    followed: parents.has(toHex(id)),
  };
}

async function receivedOf(id: Uint8Array, receipt: Uint8Array | null, trust: Trust): Promise<Received> {
  if (receipt === null) return { problem: 'receipt_missing' };
  const opened = await orError(async () =>
    trust.servers === undefined ? decodeReceipt(decodeStatement(receipt).body) : openReceipt(receipt, trust.servers),
  );
  if (opened instanceof ArchiveError || !equalBytes(opened.snapshotId, id)) return { problem: 'receipt_invalid' };
  return { at: opened.received };
}

/** Ids of the snapshots whose tombstones are believed. */
async function retiredIds(endpoint: Source, trust: Trust, signal: AbortSignal | undefined): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const bytes of await endpoint.tombstones(signal)) {
    const tombstone = await orError(async () =>
      trust.servers === undefined ? decodeTombstone(decodeStatement(bytes).body) : openTombstone(bytes, trust.servers),
    );
    // One that does not pass explains nothing: the gap shows as a problem of what follows it.
    if (!(tombstone instanceof ArchiveError)) ids.add(toHex(tombstone.snapshotId));
  }
  return ids;
}

async function orError<T>(act: () => Promise<T>): Promise<T | ArchiveError> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ArchiveError) return error;
    throw error;
  }
}
