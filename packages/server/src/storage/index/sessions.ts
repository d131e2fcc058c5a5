// Sessions (ARCHIVE §5.4). Whether one is over is what its row says, never what a clock says: a clock only decides when
// the row of a silent one is changed.

import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Selectable } from 'kysely';
import { lockArchive } from './archives.ts';
import { forUpdate, type On } from './open-index.ts';
import type { SessionRow } from './tables.ts';

export type Session = Selectable<SessionRow>;

export type NewSession = Pick<Session, 'id' | 'archive' | 'purpose' | 'device'>;

export async function openSession(on: On, session: NewSession, now: number): Promise<Session> {
  const { epoch } = await lockArchive(on, session.archive);
  return on.db
    .insertInto('sessions')
    .values({ ...session, epoch, opened: now, renewed: now, ended: null })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export const findOpenSession = async ({ db }: On, archive: number, id: string): Promise<Session | null> =>
  (await db
    .selectFrom('sessions')
    .selectAll()
    .where('id', '=', id)
    .where('archive', '=', archive)
    .where('ended', 'is', null)
    .executeTakeFirst()) ?? null;

/** Unknown ones count as ended: the index may have been rebuilt since. */
export async function requireSession(on: On, archive: number, id: string): Promise<Session> {
  const session = await findOpenSession(on, archive, id);
  if (session === null) throw new ProtocolError('session_ended');
  return session;
}

/** In a transaction that must not outlive the session: whoever wants to end it waits. Renews it as well. */
export async function holdSession(on: On, archive: number, id: string, now: number): Promise<Session> {
  const held = await on.db
    .selectFrom('sessions')
    .selectAll()
    .where('id', '=', id)
    .where('archive', '=', archive)
    .where('ended', 'is', null)
    .modifyEnd(forUpdate(on))
    .executeTakeFirst();
  if (held === undefined) throw new ProtocolError('session_ended');
  await renewSession(on, held.number, now);
  return held;
}

export async function renewSession({ db }: On, number: number, now: number): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ renewed: now })
    .where('number', '=', number)
    .where('ended', 'is', null)
    .execute();
}

export async function endSession({ db }: On, number: number, now: number): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ ended: now })
    .where('number', '=', number)
    .where('ended', 'is', null)
    .execute();
}

/** Ends those of the archive (of all, when null) that have been silent since `before`; says how many. */
export async function endSilentSessions(
  { db }: On,
  archive: number | null,
  before: number,
  now: number,
): Promise<number> {
  const silent = db
    .updateTable('sessions')
    .set({ ended: now })
    .where('ended', 'is', null)
    .where('renewed', '<', before);
  const { numUpdatedRows } = await (archive === null
    ? silent
    : silent.where('archive', '=', archive)
  ).executeTakeFirst();
  return Number(numUpdatedRows);
}

export async function endAllSessions({ db }: On, now: number): Promise<void> {
  await db.updateTable('sessions').set({ ended: now }).where('ended', 'is', null).execute();
}

/** How many sessions are open that began before `epoch`. */
export async function countOpenBelow({ db }: On, archive: number, epoch: number): Promise<number> {
  const { n } = await db
    .selectFrom('sessions')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('archive', '=', archive)
    .where('ended', 'is', null)
    .where('epoch', '<', epoch)
    .executeTakeFirstOrThrow();
  return n;
}

/** Rows of sessions that ended before `before` and are not needed to explain a pack any more. */
export async function forgetSessions({ db }: On, before: number): Promise<void> {
  await db.deleteFrom('sessions').where('ended', '<', before).execute();
}
