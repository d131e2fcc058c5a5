// Who is at work on an archive, and how far a collection is.
//
// A *lane* holds one job at a time per archive: what changes the structure (collect, compact, reconcile, spreading of a
// loss), retention, verify. A job that died is taken over after a silence; the clock only decides that, since whoever
// was taken over finds out in its next transaction (`requireJob`) and stops.

import type { Selectable } from 'kysely';
import { forUpdate, type On } from './open-index.ts';
import type { CollectionRow, JobRow } from './tables.ts';

export type Lane = 'structure' | 'retention' | 'verify';
export type Job = Selectable<JobRow>;

export const JOB_SILENCE_MS = 120_000;

/** False when another one holds the lane. */
export async function takeLane(
  on: On,
  job: Pick<Job, 'archive' | 'job' | 'owner'> & { lane: Lane },
  now: number,
): Promise<boolean> {
  const held = await findJob(on, job.archive, job.lane);
  if (held !== null && held.owner !== job.owner && held.renewed > now - JOB_SILENCE_MS) return false;
  const row = { ...job, started: now, renewed: now };
  await on.db
    .insertInto('jobs')
    .values(row)
    .onConflict((conflict) => conflict.columns(['archive', 'lane']).doUpdateSet(row))
    .execute();
  return true;
}

const findJob = async (on: On, archive: number, lane: Lane): Promise<Job | null> =>
  (await on.db
    .selectFrom('jobs')
    .selectAll()
    .where('archive', '=', archive)
    .where('lane', '=', lane)
    .modifyEnd(forUpdate(on))
    .executeTakeFirst()) ?? null;

/** Is this owner still at it? In the transaction of each step; also tells that it is alive. */
export async function stillHolds(on: On, archive: number, lane: Lane, owner: string, now: number): Promise<boolean> {
  const { numUpdatedRows } = await on.db
    .updateTable('jobs')
    .set({ renewed: now })
    .where('archive', '=', archive)
    .where('lane', '=', lane)
    .where('owner', '=', owner)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export async function leaveLane({ db }: On, archive: number, lane: Lane, owner: string): Promise<void> {
  await db
    .deleteFrom('jobs')
    .where('archive', '=', archive)
    .where('lane', '=', lane)
    .where('owner', '=', owner)
    .execute();
}

export type Collection = Selectable<CollectionRow>;

export const findCollection = async ({ db }: On, archive: number): Promise<Collection | null> =>
  (await db.selectFrom('collections').selectAll().where('archive', '=', archive).executeTakeFirst()) ?? null;

export async function saveCollection({ db }: On, collection: Collection): Promise<void> {
  await db
    .insertInto('collections')
    .values(collection)
    .onConflict((conflict) => conflict.column('archive').doUpdateSet(collection))
    .execute();
}

export async function endCollection({ db }: On, archive: number): Promise<void> {
  await db.deleteFrom('collections').where('archive', '=', archive).execute();
}

export async function endAllCollections({ db }: On): Promise<void> {
  await db.deleteFrom('collections').execute();
}
