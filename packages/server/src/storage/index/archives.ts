// Archives and their counters.

import type { Selectable } from 'kysely';
import { forUpdate, type On } from './open-index.ts';
import type { ArchiveRow } from './tables.ts';

export type Archive = Selectable<ArchiveRow>;

export const findArchive = async ({ db }: On, id: Uint8Array): Promise<Archive | null> =>
  (await db.selectFrom('archives').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;

export const listArchives = ({ db }: On): Promise<Archive[]> =>
  db.selectFrom('archives').selectAll().orderBy('id').execute();

/** Makes the row when it is new; several callers may come at once. */
export async function ensureArchive(on: On, id: Uint8Array, suspended = false): Promise<Archive> {
  await on.db
    .insertInto('archives')
    .values({ id, epoch: 1, next_pack: 1, losses: 0, suspended: suspended ? 1 : 0 })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  return (await findArchive(on, id)) as Archive;
}

/** The row as it is now, held until the transaction ends: opening a session and raising the epoch wait for each other. */
export const lockArchive = ({ db, kind }: On, number: number): Promise<Archive> =>
  db
    .selectFrom('archives')
    .selectAll()
    .where('number', '=', number)
    .modifyEnd(forUpdate({ db, kind }))
    .executeTakeFirstOrThrow();

/** Takes the next pack number and with it the archive's row. */
export async function takePackNumber({ db }: On, archive: number): Promise<number> {
  const { next_pack } = await db
    .updateTable('archives')
    .set((eb) => ({ next_pack: eb('next_pack', '+', 1) }))
    .where('number', '=', archive)
    .returning('next_pack')
    .executeTakeFirstOrThrow();
  return next_pack - 1;
}

export async function raiseEpoch({ db }: On, archive: number, epoch: number): Promise<void> {
  await db.updateTable('archives').set({ epoch }).where('number', '=', archive).execute();
}

/** Makes every cursor void. */
export async function countLoss({ db }: On, archive: number): Promise<void> {
  await db
    .updateTable('archives')
    .set((eb) => ({ losses: eb('losses', '+', 1) }))
    .where('number', '=', archive)
    .execute();
}

/** All archives when `archive` is null. */
export async function setSuspended({ db }: On, archive: number | null, suspended: boolean): Promise<void> {
  const all = db.updateTable('archives').set({ suspended: suspended ? 1 : 0 });
  await (archive === null ? all : all.where('number', '=', archive)).execute();
}
