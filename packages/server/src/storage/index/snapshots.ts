// Snapshots: rows of what lies in the store point. *Pending* ones were announced and not yet acknowledged; *retiring* ones
// have their tombstone and lose their objects.

import type { Insertable, Selectable } from 'kysely';
import { forUpdate, type On } from './open-index.ts';
import { SNAPSHOT_STATE, type SnapshotRow } from './tables.ts';

export type Snapshot = Selectable<SnapshotRow>;

export const findSnapshot = async (on: On, archive: number, id: Uint8Array): Promise<Snapshot | null> =>
  (await on.db
    .selectFrom('snapshots')
    .selectAll()
    .where('archive', '=', archive)
    .where('id', '=', id)
    .modifyEnd(forUpdate(on))
    .executeTakeFirst()) ?? null;

export async function insertSnapshot({ db }: On, snapshot: Insertable<SnapshotRow>): Promise<void> {
  await db.insertInto('snapshots').values(snapshot).execute();
}

export async function updateSnapshot(
  { db }: On,
  archive: number,
  id: Uint8Array,
  change: Partial<Pick<SnapshotRow, 'state' | 'received' | 'forked' | 'session'>>,
): Promise<void> {
  await db.updateTable('snapshots').set(change).where('archive', '=', archive).where('id', '=', id).execute();
}

export async function deleteSnapshot({ db }: On, archive: number, id: Uint8Array): Promise<void> {
  await db.deleteFrom('snapshots').where('archive', '=', archive).where('id', '=', id).execute();
}

/** The committed ones, in the order of their receipt. */
export const committedSnapshots = ({ db }: On, archive: number): Promise<Snapshot[]> =>
  db
    .selectFrom('snapshots')
    .selectAll()
    .where('archive', '=', archive)
    .where('state', '=', SNAPSHOT_STATE.committed)
    .orderBy('received')
    .orderBy('sequence')
    .execute();

export const snapshotsInState = ({ db }: On, archive: number, state: number): Promise<Snapshot[]> =>
  db.selectFrom('snapshots').selectAll().where('archive', '=', archive).where('state', '=', state).execute();

/** Pending ones whose session is over: nobody was told that they are stored. */
export const abandonedSnapshots = ({ db }: On, archive: number): Promise<Snapshot[]> =>
  db
    .selectFrom('snapshots')
    .selectAll()
    .where('archive', '=', archive)
    .where('state', '=', SNAPSHOT_STATE.pending)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('sessions')
            .select('sessions.number')
            .whereRef('sessions.number', '=', 'snapshots.session')
            .where('sessions.ended', 'is', null),
        ),
      ),
    )
    .execute();

export type ChainOf = Pick<Snapshot, 'archive' | 'device' | 'backup_set' | 'destination'>;

/** The newest committed snapshot of a chain. */
export const headOfChain = async ({ db }: On, chain: ChainOf): Promise<Snapshot | null> =>
  (await db
    .selectFrom('snapshots')
    .selectAll()
    .where('archive', '=', chain.archive)
    .where('device', '=', chain.device)
    .where('backup_set', '=', chain.backup_set)
    .where('destination', '=', chain.destination)
    .where('state', '=', SNAPSHOT_STATE.committed)
    .orderBy('sequence', 'desc')
    .orderBy('received', 'desc')
    .limit(1)
    .executeTakeFirst()) ?? null;

export const snapshotIds = async ({ db }: On, archive: number): Promise<Pick<Snapshot, 'id' | 'state'>[]> =>
  db.selectFrom('snapshots').select(['id', 'state']).where('archive', '=', archive).execute();
