// Takes in one snapshot: the commit of a backup (ARCHIVE §5.2, §5.4).
//
//   check:    format, archive, device, signature
//   announce (transaction): session alive, root present -> a pending row, so that its object is known to nobody else
//   objects:  receipt, then snapshot: durable
//   publish (transaction): session alive -> committed; the root loses its label, so that collect starts its rescue there
//             even if retention takes the snapshot away at once; the session ends
//
// A crash in between leaves a pending row; when its session is over, `dropAbandoned` removes the objects: nobody was told
// that they are stored. The same snapshot again gets the same receipt, in an ended session too.

import { equalBytes } from '@holdfast/archive/format/ids.ts';
import type { Envelope } from '@holdfast/archive/format/snapshot.ts';
import { receiptName, snapshotName, tombstoneName } from '@holdfast/archive/store/layout.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { type Archive, lockArchive } from '../index/archives.ts';
import { uncondemn } from '../index/chunks.ts';
import { forgetObject, hashOf, notedHash, noteObject } from '../index/objects.ts';
import type { On } from '../index/open-index.ts';
import { prefixOf } from '../index/prefix.ts';
import { endSession, findOpenSession, holdSession, requireSession } from '../index/sessions.ts';
import {
  abandonedSnapshots,
  type ChainOf,
  deleteSnapshot,
  findSnapshot,
  headOfChain,
  insertSnapshot,
  type Snapshot,
  updateSnapshot,
} from '../index/snapshots.ts';
import { SNAPSHOT_STATE } from '../index/tables.ts';
import { readIfThere } from '../reads/lists.ts';
import { makeReceipt } from '../receipts.ts';
import type { StorePoint } from '../store-point.ts';
import { requirePresent } from './links.ts';
import type { CheckedSnapshot } from './verify-snapshot.ts';

export type Commit = { readonly archive: Archive; readonly session: string; readonly snapshot: CheckedSnapshot };

/** The receipt of a snapshot that was committed before, else null; also ends the session, as its commit did. */
export async function repeatedCommit(point: StorePoint, commit: Commit): Promise<Uint8Array | null> {
  const { archive, snapshot, session } = commit;
  const committed = await point.index.write(async (on) => {
    const known = await findSnapshot(on, archive.number, snapshot.id);
    if (known?.state !== SNAPSHOT_STATE.committed) return false;
    const open = await findOpenSession(on, archive.number, session);
    if (open !== null) await endSession(on, open.number, point.now());
    return true;
  });
  if (!committed) return null;
  await healSnapshot(point, commit);
  return point.blobs.get(receiptName(archive.id, snapshot.id));
}

/** What decayed since is taken again: exactly the bytes that were committed, so that no device replaces a snapshot by another. */
async function healSnapshot({ blobs, index }: StorePoint, { archive, snapshot }: Commit): Promise<void> {
  const name = snapshotName(archive.id, snapshot.id);
  const there = await readIfThere(blobs, name);
  if (there !== null && equalBytes(there, snapshot.object)) return;
  const noted = await index.read((on) => notedHash(on, archive, name));
  if (noted !== null && equalBytes(noted, hashOf(snapshot.object))) await blobs.put(name, snapshot.object);
}

export async function commitSnapshot(point: StorePoint, commit: Commit): Promise<Uint8Array> {
  const { archive, snapshot } = commit;
  await point.index.read((on) => requireSession(on, archive.number, commit.session));
  if ((await point.blobs.stat(tombstoneName(archive.id, snapshot.id))) !== null)
    throw new ProtocolError('snapshot_retired');
  const received = point.now();
  await point.index.write((on) => announce(on, commit, received));
  const receipt = await makeReceipt(point, { archiveId: archive.id, snapshotId: snapshot.id, received });
  await point.blobs.put(receiptName(archive.id, snapshot.id), receipt);
  await point.blobs.put(snapshotName(archive.id, snapshot.id), snapshot.object);
  const forked = await point.index.write((on) => publish(on, commit, received));
  point.metrics.add('snapshots_committed');
  if (forked) reportFork(point, commit);
  return receipt;
}

async function announce(on: On, { archive, session: id, snapshot }: Commit, received: number): Promise<void> {
  await lockArchive(on, archive.number);
  const session = await holdSession(on, archive.number, id, received);
  await requirePresent(on, archive.number, session.epoch, snapshot.envelope.root);
  const known = await findSnapshot(on, archive.number, snapshot.id);
  if (known === null) {
    await insertSnapshot(on, rowOf(archive.number, snapshot, received, session.number));
    return;
  }
  // Its objects are just being removed; the tombstone, if there is to be one, was not there a moment ago.
  if (known.state === SNAPSHOT_STATE.retiring) throw new ProtocolError('busy', { retryAfterMs: 1000 });
  await updateSnapshot(on, archive.number, snapshot.id, { received, session: session.number });
}

export const rowOf = (
  archive: number,
  { id, envelope }: Pick<CheckedSnapshot, 'id' | 'envelope'>,
  received: number,
  session: number,
): Snapshot => ({
  ...chainOf(archive, envelope),
  id,
  sequence: envelope.sequence,
  parent: envelope.parent,
  root: envelope.root,
  device_time: envelope.deviceTime,
  received,
  partial: envelope.partial ? 1 : 0,
  forked: 0,
  state: SNAPSHOT_STATE.pending,
  session,
});

const chainOf = (archive: number, envelope: Envelope): ChainOf => ({
  archive,
  device: envelope.deviceId,
  backup_set: envelope.setId,
  destination: envelope.destinationId,
});

/** Returns whether the chain had another head than the parent: an old image, a cloned machine, or a race. Never refused. */
async function publish(on: On, { archive, session: id, snapshot }: Commit, received: number): Promise<boolean> {
  await lockArchive(on, archive.number);
  const session = await holdSession(on, archive.number, id, received);
  const { root, parent } = snapshot.envelope;
  await requirePresent(on, archive.number, session.epoch, root);
  const head = await headOfChain(on, chainOf(archive.number, snapshot.envelope));
  const forked = head !== null && (parent === null || !equalBytes(head.id, parent));
  const change = { state: SNAPSHOT_STATE.committed, received, forked: forked ? 1 : 0 };
  await updateSnapshot(on, archive.number, snapshot.id, change);
  await noteObject(on, archive, snapshotName(archive.id, snapshot.id), snapshot.object);
  await uncondemn(on, archive.number, [prefixOf(root)], session.epoch);
  await endSession(on, session.number, received);
  return forked;
}

function reportFork(point: StorePoint, { snapshot }: Commit): void {
  point.metrics.add('snapshots_forked');
  const { deviceId, setId, sequence } = snapshot.envelope;
  const chain = { device: deviceId.toHex(), set: setId.toHex(), sequence };
  point.log.warn(chain, 'a chain of snapshots has forked: an old image or a cloned machine backs up');
}

/** Removes what was announced and never acknowledged. */
export async function dropAbandoned(point: StorePoint, archive: Archive): Promise<number> {
  const abandoned = await point.index.write(async (on) => {
    await lockArchive(on, archive.number);
    const rows = await abandonedSnapshots(on, archive.number);
    for (const { id } of rows) await updateSnapshot(on, archive.number, id, { state: SNAPSHOT_STATE.retiring });
    return rows;
  });
  for (const { id } of abandoned) await removeSnapshotObjects(point, archive, id);
  return abandoned.length;
}

/** The last steps of a snapshot that is being retired or dropped; each may be repeated. */
export async function removeSnapshotObjects(point: StorePoint, archive: Archive, id: Uint8Array): Promise<void> {
  await point.blobs.delete(snapshotName(archive.id, id));
  await point.blobs.delete(receiptName(archive.id, id));
  await point.index.write(async (on) => {
    await deleteSnapshot(on, archive.number, id);
    await forgetObject(on, archive, snapshotName(archive.id, id));
  });
}
