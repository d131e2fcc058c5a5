// The snapshots of an archive: each is verified (format §6.1), then their chains are looked at.
//
// A parent that is not there is no finding: retention takes snapshots out of the middle of a chain, and after 30 days nothing is left to prove
// that it did. What a device remembers of its own chain is compared by its agent.

import type { StoredSnapshot } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import type { DeviceList } from '../format/device-list.ts';
import { toHex } from '../format/ids.ts';
import { openStoredSnapshot, type VerifiedSnapshot } from '../keys/snapshot.ts';
import type { ChainProblem, SnapshotProblem } from './problem.ts';

export type CheckedSnapshots = {
  readonly verified: readonly VerifiedSnapshot[];
  readonly problems: readonly (SnapshotProblem | ChainProblem)[];
};

export async function checkSnapshots(
  stored: readonly StoredSnapshot[],
  crypto: ArchiveCrypto,
  devices: DeviceList,
): Promise<CheckedSnapshots> {
  const verified = new Map<string, VerifiedSnapshot>();
  const problems: SnapshotProblem[] = [];
  for (const each of stored) {
    try {
      const snapshot = await openStoredSnapshot(each, crypto, devices);
      verified.set(toHex(snapshot.id), snapshot);
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      problems.push({ kind: 'snapshot', snapshotId: each.id, error });
    }
  }
  const snapshots = [...verified.values()];
  return { verified: snapshots, problems: [...problems, ...chainProblems(snapshots)] };
}

export function chainProblems(snapshots: readonly Pick<VerifiedSnapshot, 'id' | 'envelope'>[]): ChainProblem[] {
  const problems: ChainProblem[] = [];
  for (const chain of Map.groupBy(snapshots, chainKey).values()) {
    const byId = new Map(chain.map((snapshot) => [toHex(snapshot.id), snapshot]));
    const bySequence = Map.groupBy(chain, ({ envelope }) => envelope.sequence).values();
    const byParent = Map.groupBy(chain, ({ envelope }) =>
      envelope.parent === null ? '' : toHex(envelope.parent),
    ).values();
    for (const group of uniqueGroups([...bySequence, ...byParent]))
      problems.push({ kind: 'fork', snapshotIds: group.map(({ id }) => id) });
    for (const { id, envelope } of chain) {
      const parent = envelope.parent === null ? undefined : byId.get(toHex(envelope.parent));
      if (parent !== undefined && parent.envelope.sequence !== envelope.sequence - 1)
        problems.push({ kind: 'order', snapshotIds: [parent.id, id] });
    }
  }
  return problems;
}

type Linked = Pick<VerifiedSnapshot, 'id' | 'envelope'>;

const chainKey = ({ envelope: { deviceId, setId, destinationId } }: Linked): string =>
  [deviceId, setId, destinationId].map(toHex).join(' ');

/** Groups of more than one; two that share a parent mostly share their number too, which is one finding. */
function uniqueGroups(groups: readonly (readonly Linked[])[]): (readonly Linked[])[] {
  const found = new Map<string, readonly Linked[]>();
  for (const group of groups) {
    if (group.length < 2) continue;
    found.set(
      group
        .map(({ id }) => toHex(id))
        .sort()
        .join(' '),
      group,
    );
  }
  return [...found.values()];
}
