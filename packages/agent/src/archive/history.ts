import { ArchiveError } from '@holdfast/archive/errors.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import type { Tombstone } from '@holdfast/archive/format/tombstone.ts';
import { openTombstone } from '@holdfast/archive/keys/statement.ts';
import { type RetiredSnapshot, unexplainedTombstones } from '@holdfast/archive/retention/explain.ts';
import { DEFAULT_RETENTION, parseRetentionPolicy } from '@holdfast/archive/retention/policy.ts';
import { retentionOf, type Settings } from '../state/settings.ts';
import type { OpenedArchive } from './opened-archive.ts';
import type { Snapshot } from './snapshots.ts';

/**
 * Did history go away for a reason (ARCHIVE §4)? The server leaves a signed tombstone for each snapshot that it retires; this device makes
 * the plan of retention again and names the tombstones that it does not explain. A server that retires what it should keep is seen.
 */
export type Unexplained = RetiredSnapshot;

/** Of this device's own chains: only their policy is known here. Empty where no server stands behind the archive. */
export async function unexplainedRetirements(
  archive: Pick<OpenedArchive, 'endpoint' | 'receiptKey' | 'own'>,
  snapshots: readonly Snapshot[],
  settings: Settings,
  signal?: AbortSignal,
): Promise<Unexplained[]> {
  const { endpoint, receiptKey, own } = archive;
  if (receiptKey === null || own === null) return [];
  const found: Tombstone[] = [];
  for (const bytes of await endpoint.tombstones(signal)) {
    const tombstone = await believed(bytes, receiptKey);
    if (tombstone !== null && toHex(tombstone.deviceId) === own) found.push(tombstone);
  }
  return unexplained(
    found.map(retiredOf),
    snapshots.filter(({ device }) => device.id === own),
    settings,
  );
}

/** Pure. What was retired before the retention changed is not judged by the new one. */
export function unexplained(
  retired: readonly RetiredSnapshot[],
  present: readonly Snapshot[],
  settings: Settings,
): Unexplained[] {
  const since = settings.retentionSince ?? Number.NEGATIVE_INFINITY;
  const sets = new Set(retired.map(({ setId }) => setId));
  return [...sets].flatMap((setId) => {
    const chain = present.filter(({ set }) => set.id === setId).map(presentOf);
    const stones = retired.filter((stone) => stone.setId === setId);
    return unexplainedTombstones(chain, stones, policyFor(settings, setId)).filter(
      ({ reason, retiredAt }) => reason !== 'purge' && retiredAt >= since,
    );
  });
}

function policyFor({ policy }: Settings, setId: string) {
  if (policy === null || policy.sets.length === 0) return DEFAULT_RETENTION;
  return parseRetentionPolicy(retentionOf(policy, { id: setId, retention: policy.sets[0]!.retention }));
}

/** One that is not the server's explains nothing, and accuses nobody. */
async function believed(bytes: Uint8Array, receiptKey: Uint8Array): Promise<Tombstone | null> {
  try {
    return await openTombstone(bytes, [receiptKey]);
  } catch (error) {
    if (error instanceof ArchiveError) return null;
    throw error;
  }
}

const retiredOf = ({ snapshotId, deviceId, setId, destinationId, sequence, received, reason, retired }: Tombstone) => ({
  id: toHex(snapshotId),
  deviceId: toHex(deviceId),
  setId: toHex(setId),
  destinationId: toHex(destinationId),
  sequence,
  receivedAt: received,
  partial: reason === 'partial',
  reason,
  retiredAt: retired,
});

const presentOf = ({ id, device, set, destination, sequence, at, partial }: Snapshot) => ({
  id,
  deviceId: device.id,
  setId: set.id,
  destinationId: destination,
  sequence,
  receivedAt: at,
  partial,
});
