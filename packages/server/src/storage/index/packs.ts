// Packs and their states.
//
//   live -> retired (compaction; readable 24 h) -> deleting -> gone -> no row
//   live -> deleting, once no location leads to it
//   deleting -> live, when compaction has written its object
//   live -> damaged | missing -> live, when its bytes come again
//
// A pack that is deleting or gone is never taken for "already here" and cannot come back for a while: whoever deletes
// its object may still be at it.

import type { Insertable, Selectable } from 'kysely';
import { takePackNumber } from './archives.ts';
import { forUpdate, type On } from './open-index.ts';
import { PACK_STATE, type PackRow } from './tables.ts';

export type Pack = Selectable<PackRow>;

const IN_USE = [PACK_STATE.live, PACK_STATE.damaged, PACK_STATE.missing];

export const findPack = async ({ db }: On, archive: number, id: Uint8Array): Promise<Pack | null> =>
  (await db.selectFrom('packs').selectAll().where('archive', '=', archive).where('id', '=', id).executeTakeFirst()) ??
  null;

export const holdPack = async (on: On, archive: number, id: Uint8Array): Promise<Pack | null> =>
  (await on.db
    .selectFrom('packs')
    .selectAll()
    .where('archive', '=', archive)
    .where('id', '=', id)
    .modifyEnd(forUpdate(on))
    .executeTakeFirst()) ?? null;

export type NewPack = Omit<Insertable<PackRow>, 'number' | 'state' | 'verified' | 'since'>;

export async function insertPack(on: On, pack: NewPack, state: number = PACK_STATE.live): Promise<number> {
  const number = await takePackNumber(on, pack.archive);
  await on.db
    .insertInto('packs')
    .values({ ...pack, number, state, verified: 0, since: 0 })
    .execute();
  return number;
}

export async function updatePack(
  { db }: On,
  archive: number,
  number: number,
  change: Partial<Omit<PackRow, 'archive' | 'number' | 'id'>>,
): Promise<void> {
  await db.updateTable('packs').set(change).where('archive', '=', archive).where('number', '=', number).execute();
}

/** Packs that locations may lead to, ascending, `limit` after `after`. */
export const pageOfPacks = ({ db }: On, archive: number, after: number, limit: number): Promise<Pack[]> =>
  db
    .selectFrom('packs')
    .selectAll()
    .where('archive', '=', archive)
    .where('number', '>', after)
    .where('state', 'in', IN_USE)
    .orderBy('number')
    .limit(limit)
    .execute();

/** Packs that were not read since `before`, those that wait longest first. */
export const packsToVerify = (
  { db }: On,
  archive: number,
  before: number,
): Promise<Pick<Pack, 'number' | 'id' | 'size'>[]> =>
  db
    .selectFrom('packs')
    .select(['number', 'id', 'size'])
    .where('archive', '=', archive)
    .where('verified', '<', before)
    .where('state', 'in', [PACK_STATE.live, PACK_STATE.damaged])
    .orderBy('verified')
    .orderBy('number')
    .execute();

/** These were read whole. */
export async function markVerified(
  { db }: On,
  archive: number,
  numbers: readonly number[],
  now: number,
): Promise<void> {
  await db
    .updateTable('packs')
    .set({ verified: now })
    .where('archive', '=', archive)
    .where('number', 'in', numbers)
    .execute();
}

/** Numbers of packs that the server itself found damaged or gone. */
export async function packsInRuins({ db }: On, archive: number): Promise<number[]> {
  const rows = await db
    .selectFrom('packs')
    .select('number')
    .where('archive', '=', archive)
    .where('state', 'in', [PACK_STATE.damaged, PACK_STATE.missing])
    .where('rows', '>', 0)
    .execute();
  return rows.map((row) => row.number);
}

/** Packs with trees, the highest first: in this order most parents come before their children. */
export const pageOfTreePacks = ({ db }: On, archive: number, below: number, limit: number): Promise<Pack[]> =>
  db
    .selectFrom('packs')
    .selectAll()
    .where('archive', '=', archive)
    .where('number', '<', below)
    .where('trees', '>', 0)
    .where('rows', '>', 0)
    .where('state', 'in', IN_USE)
    .orderBy('number', 'desc')
    .limit(limit)
    .execute();

/** Packs in order of their names, for the comparison with a listing; every state, since all of them explain an object. */
export const pageOfPackNames = (
  { db }: On,
  archive: number,
  after: Uint8Array,
  limit: number,
): Promise<Pick<Pack, 'id' | 'number' | 'state' | 'size'>[]> =>
  db
    .selectFrom('packs')
    .select(['id', 'number', 'state', 'size'])
    .where('archive', '=', archive)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute();

/** Numbers of packs that a session sent which is open, or ended after `since`. */
export async function packsOfRecentSessions({ db }: On, archive: number, since: number): Promise<Set<number>> {
  const rows = await db
    .selectFrom('packs')
    .innerJoin('sessions', 'sessions.number', 'packs.session')
    .select('packs.number')
    .where('packs.archive', '=', archive)
    .where((eb) => eb.or([eb('sessions.ended', 'is', null), eb('sessions.ended', '>', since)]))
    .execute();
  return new Set(rows.map((row) => row.number));
}

/** Which packs could go: without a location, or retired before `retiredBefore`; never one that is just being sent again. */
export async function claimForDeletion(
  on: On,
  archive: number,
  retiredBefore: number,
  now: number,
  limit: number,
): Promise<Pick<Pack, 'number' | 'id' | 'size'>[]> {
  const candidates = on.db
    .selectFrom('packs')
    .select('number')
    .where('archive', '=', archive)
    .where('rows', '=', 0)
    .where((eb) =>
      eb.or([
        eb('state', 'in', IN_USE),
        eb.and([eb('state', '=', PACK_STATE.retired), eb('since', '<=', retiredBefore)]),
      ]),
    )
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('incoming')
            .innerJoin('sessions', 'sessions.number', 'incoming.session')
            .select('incoming.token')
            .whereRef('incoming.archive', '=', 'packs.archive')
            .whereRef('incoming.pack', '=', 'packs.id')
            .where('sessions.ended', 'is', null),
        ),
      ),
    )
    .orderBy('number')
    .limit(limit);
  return on.db
    .updateTable('packs')
    .set({ state: PACK_STATE.deleting, since: now })
    .where('archive', '=', archive)
    .where('number', 'in', candidates)
    .returning(['number', 'id', 'size'])
    .execute();
}

/** Claimed by a run that did not get to the end. */
export const packsBeingDeleted = ({ db }: On, archive: number): Promise<Pick<Pack, 'number' | 'id' | 'size'>[]> =>
  db
    .selectFrom('packs')
    .select(['number', 'id', 'size'])
    .where('archive', '=', archive)
    .where('state', '=', PACK_STATE.deleting)
    .execute();

export async function forgetGonePacks({ db }: On, archive: number, before: number): Promise<void> {
  await db
    .deleteFrom('packs')
    .where('archive', '=', archive)
    .where('state', '=', PACK_STATE.gone)
    .where('since', '<', before)
    .execute();
}

/** Says that a pack of this name is about to be given its row; until then nobody may delete its object. */
export async function announcePack(
  { db }: On,
  archive: number,
  pack: Uint8Array,
  session: number,
  token: string,
): Promise<void> {
  await db.insertInto('incoming').values({ archive, pack, session, token }).execute();
}

export async function endAnnouncement({ db }: On, archive: number, pack: Uint8Array, token: string): Promise<void> {
  await db
    .deleteFrom('incoming')
    .where('archive', '=', archive)
    .where('pack', '=', pack)
    .where('token', '=', token)
    .execute();
}

export async function isAnnounced({ db }: On, archive: number, pack: Uint8Array): Promise<boolean> {
  const row = await db
    .selectFrom('incoming')
    .innerJoin('sessions', 'sessions.number', 'incoming.session')
    .select('incoming.token')
    .where('incoming.archive', '=', archive)
    .where('incoming.pack', '=', pack)
    .where('sessions.ended', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}

/** Left behind by uploads whose session has ended. */
export async function forgetAnnouncements({ db }: On): Promise<void> {
  await db
    .deleteFrom('incoming')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('sessions')
            .select('sessions.number')
            .whereRef('sessions.number', '=', 'incoming.session')
            .where('sessions.ended', 'is', null),
        ),
      ),
    )
    .execute();
}
