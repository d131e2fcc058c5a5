// Retires snapshots by the archive's policy, by the time of their receipt (ARCHIVE §4). Chunks are left to collect.
//
//   tombstone (durable) -> row *retiring* -> objects gone -> row gone
//
// Each step may be repeated; what an earlier run began is ended first.

import { ArchiveError } from '@holdfast/archive/errors.ts';
import { decodeStatement } from '@holdfast/archive/format/statement.ts';
import { decodeTombstone } from '@holdfast/archive/format/tombstone.ts';
import { folderPrefix, policyName, tombstoneName } from '@holdfast/archive/store/layout.ts';
import { lockArchive } from '../index/archives.ts';
import { forgetObject, notedHash, noteIfNew, noteObject } from '../index/objects.ts';
import { committedSnapshots, findSnapshot, snapshotsInState, updateSnapshot } from '../index/snapshots.ts';
import { SNAPSHOT_STATE } from '../index/tables.ts';
import { dropAbandoned, removeSnapshotObjects } from '../ingest/commit-snapshot.ts';
import { TOMBSTONE_MS } from '../limits.ts';
import { readIfThere } from '../reads/lists.ts';
import { makeTombstone } from '../receipts.ts';
import {
  type ArchivePolicy,
  checkPolicy,
  nextPolicy,
  type PolicyRecord,
  planArchive,
  type Retirement,
  readPolicy,
  writePolicy,
} from './policy.ts';
import type { Run } from './run.ts';

export type RetentionResult = { retired: number; tombstonesDropped: number; abandoned: number };

/** `wanted` is the policy that somebody decided, null when nothing is known: then the last in force holds. */
export async function retain(run: Run, wanted: ArchivePolicy | null): Promise<RetentionResult> {
  const { point, archive } = run;
  await finishRetiring(run);
  const abandoned = await dropAbandoned(point, archive);
  const snapshots = await point.index.read((on) => committedSnapshots(on, archive.number));
  const now = point.now();
  const stored = await readPolicy(point.blobs, archive.id);
  const record = nextPolicy(stored, wanted && checkPolicy(wanted, 'policy'), snapshots, now);
  await (record === stored ? notePolicy(run) : replacePolicy(run, record));
  let retired = 0;
  for (const retirement of planArchive(record.inForce, snapshots, now)) {
    if (await retire(run, retirement, now)) retired += 1;
  }
  point.metrics.add('snapshots_retired', retired);
  return { retired, tombstonesDropped: await dropTombstones(run, now), abandoned };
}

/** Forgotten before it changes: a run that is cut off in between leaves a policy that the next one notes. */
async function replacePolicy({ point, archive, step }: Run, record: PolicyRecord): Promise<void> {
  const name = policyName(archive.id);
  await step((on) => forgetObject(on, archive, name));
  const bytes = await writePolicy(point.blobs, archive.id, record);
  await step((on) => noteObject(on, archive, name, bytes));
}

/** One that a run wrote which died before it noted it, or that is older than notes. */
async function notePolicy({ point, archive, step }: Run): Promise<void> {
  const name = policyName(archive.id);
  if ((await point.index.read((on) => notedHash(on, archive, name))) !== null) return;
  const bytes = await readIfThere(point.blobs, name);
  if (bytes !== null) await step((on) => noteIfNew(on, archive, name, bytes));
}

async function finishRetiring({ point, archive }: Run): Promise<void> {
  const rows = await point.index.read((on) => snapshotsInState(on, archive.number, SNAPSHOT_STATE.retiring));
  for (const { id } of rows) await removeSnapshotObjects(point, archive, id);
}

async function retire(run: Run, { snapshot, reason }: Retirement, now: number): Promise<boolean> {
  const { point, archive } = run;
  const tombstone = await makeTombstone(point, {
    archiveId: archive.id,
    snapshotId: snapshot.id,
    deviceId: snapshot.device,
    setId: snapshot.backup_set,
    destinationId: snapshot.destination,
    sequence: snapshot.sequence,
    received: snapshot.received,
    reason,
    retired: now,
  });
  await point.blobs.put(tombstoneName(archive.id, snapshot.id), tombstone);
  const isTaken = await run.step(async (on) => {
    await lockArchive(on, archive.number);
    if ((await findSnapshot(on, archive.number, snapshot.id))?.state !== SNAPSHOT_STATE.committed) return false;
    await updateSnapshot(on, archive.number, snapshot.id, { state: SNAPSHOT_STATE.retiring });
    return true;
  });
  if (isTaken) await removeSnapshotObjects(point, archive, snapshot.id);
  return isTaken;
}

async function dropTombstones({ point, archive }: Run, now: number): Promise<number> {
  let dropped = 0;
  for await (const { name } of point.blobs.list(folderPrefix(archive.id, 'tombstones'))) {
    const bytes = await readIfThere(point.blobs, name);
    if (bytes === null || retiredAt(bytes) > now - TOMBSTONE_MS) continue;
    await point.blobs.delete(name);
    dropped += 1;
  }
  return dropped;
}

/** One that cannot be read is kept: it may be of a newer version. */
function retiredAt(statement: Uint8Array): number {
  try {
    return decodeTombstone(decodeStatement(statement).body).retired;
  } catch (error) {
    if (error instanceof ArchiveError) return Number.POSITIVE_INFINITY;
    throw error;
  }
}
