import { isPermission, type PermissionId } from '@holdfast/protocol/permissions.ts';
import { hashToken } from '../../http/bearer.ts';
import type { UserPrincipal } from '../../http/principal.ts';
import type { AuthorityContext, AuthorityTransaction } from '../context.ts';
import type { AuthorityQueries, UserRow } from '../tables.ts';
import { sessionEnd, TOUCH_EVERY_MS } from './rules.ts';

/** Sessions of signed-in people. The token leaves the server once; the database has its hash. */

/** Marks a token of ours, so that scanners and log filters know it. */
export const SESSION_PREFIX = 'hfs_';
export const CREDENTIAL_PREFIX = 'hfd_';

export const newToken = (prefix: string, { random }: Pick<AuthorityContext, 'random'>): string =>
  prefix + Buffer.from(random(32)).toString('base64url');

export async function openSession(
  context: AuthorityContext,
  trx: AuthorityTransaction,
  userId: string,
): Promise<{ token: string; expires: number }> {
  const token = newToken(SESSION_PREFIX, context);
  const now = context.now();
  const expires = sessionEnd({ created: now }, now);
  const row = { token_hash: hashToken(token), user: userId, created: now, used: now, expires };
  await trx.insertInto('sessions').values(row).execute();
  return { token, expires };
}

export async function grantsOf(queries: AuthorityQueries, userId: string): Promise<PermissionId[]> {
  const rows = await queries
    .selectFrom('user_roles')
    .innerJoin('role_grants', 'role_grants.role', 'user_roles.role')
    .where('user_roles.user', '=', userId)
    .select('role_grants.permission')
    .distinct()
    .orderBy('role_grants.permission')
    .execute();
  // A grant that only a newer version knows gives nothing here
  return rows.map((r) => r.permission).filter(isPermission);
}

export type SessionUser = UserPrincipal & { readonly user: UserRow };

/** Who a token belongs to, `null` when to nobody (any more); a use moves the end. */
export async function findSession(context: AuthorityContext, token: string): Promise<SessionUser | null> {
  const { kysely } = context.database;
  const hash = hashToken(token);
  const now = context.now();
  const session = await kysely.selectFrom('sessions').selectAll().where('token_hash', '=', hash).executeTakeFirst();
  if (session === undefined || session.expires <= now) return null;
  const user = await kysely.selectFrom('users').selectAll().where('id', '=', session.user).executeTakeFirstOrThrow();
  if (user.state !== 'active') return null;
  let { expires } = session;
  if (now - session.used >= TOUCH_EVERY_MS) {
    expires = sessionEnd(session, now);
    await kysely.updateTable('sessions').set({ used: now, expires }).where('token_hash', '=', hash).execute();
  }
  const grants = await grantsOf(kysely, user.id);
  return { kind: 'user', userId: user.id, username: user.username, grants, session: hash, expires, user };
}

export async function endSessions(queries: AuthorityQueries, which: { user: string; except?: string }): Promise<void> {
  let query = queries.deleteFrom('sessions').where('user', '=', which.user);
  if (which.except !== undefined) query = query.where('token_hash', '!=', which.except);
  await query.execute();
}

export async function forgetEndedSessions(context: AuthorityContext): Promise<void> {
  await context.database.kysely.deleteFrom('sessions').where('expires', '<=', context.now()).execute();
}
