import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { isPermission, type PermissionId } from '@holdfast/protocol/permissions.ts';
import { type Actor, append } from '../audit/audit.ts';
import { type AuthorityContext, type AuthorityTransaction, inTransaction, newId } from '../context.ts';
import { DEFAULT_ROLES, withinReach } from '../roles.ts';
import { checkNewPassword, newOneTimePassword, type Passwords } from '../sign-in/passwords.ts';
import { endSessions } from '../sign-in/sessions.ts';
import type { AuthorityQueries, UserRow } from '../tables.ts';
import { findUser, grantsOfRoles, insertUser, setPassword } from './store.ts';

/** Who acts, and what they may hand out. The server's own command line may hand out anything. */
export type Author = { readonly actor: Actor; readonly grants: readonly PermissionId[] };

export const SYSTEM: Author = { actor: 'system', grants: ['admin'] };

export type UserRequest = {
  readonly organization: string;
  readonly username: string;
  readonly name?: string | undefined;
  /** Without one a one-time password is made. */
  readonly password?: string | undefined;
  readonly roles?: readonly string[] | undefined;
};

/** Creates a user in a transaction of the caller's; the password is hashed before, since that takes long. */
export async function prepareUser(context: AuthorityContext, passwords: Passwords, request: UserRequest) {
  if (request.password !== undefined) checkNewPassword(request.password, request.username);
  const oneTimePassword = request.password === undefined ? newOneTimePassword(context.random) : null;
  const passwordHash = await passwords.hash(request.password ?? oneTimePassword ?? '');
  const id = newId(context);
  const insert = async (trx: AuthorityTransaction, author: Author): Promise<UserRow> => {
    const roles = request.roles ?? DEFAULT_ROLES;
    await requireReach(trx, author, roles);
    const inserted = await insertUser(trx, {
      id,
      organization: request.organization,
      username: request.username,
      name: request.name ?? request.username,
      passwordHash,
      mustChangePassword: oneTimePassword !== null,
      roles,
      created: context.now(),
    });
    if (!inserted) throw new ProtocolError('username_taken');
    await append(trx, {
      at: context.now(),
      actor: author.actor,
      action: 'user.created',
      target: `user:${id}`,
      details: { username: request.username, roles },
    });
    return requireUser(trx, id);
  };
  return { oneTimePassword, insert };
}

export async function createUser(
  context: AuthorityContext,
  passwords: Passwords,
  author: Author,
  request: UserRequest,
): Promise<{ user: UserRow; oneTimePassword: string | null }> {
  const { oneTimePassword, insert } = await prepareUser(context, passwords, request);
  return { user: await inTransaction(context, (trx) => insert(trx, author)), oneTimePassword };
}

/** A new one-time password; every session of the user ends. */
export async function resetPassword(
  context: AuthorityContext,
  passwords: Passwords,
  author: Author,
  userId: string,
): Promise<string> {
  const oneTimePassword = newOneTimePassword(context.random);
  await givePassword(context, passwords, author, { userId, password: oneTimePassword, isForOneTime: true });
  return oneTimePassword;
}

/** A password that somebody else chose for a user; every session of the user ends. */
export async function givePassword(
  context: AuthorityContext,
  passwords: Passwords,
  author: Author,
  { userId, password, isForOneTime }: { userId: string; password: string; isForOneTime: boolean },
): Promise<void> {
  const { username } = await requireUser(context.database.kysely, userId);
  checkNewPassword(password, username);
  const hash = await passwords.hash(password);
  await inTransaction(context, async (trx) => {
    await requireUser(trx, userId);
    await requireReachOver(trx, author, userId);
    await setPassword(trx, userId, hash, isForOneTime);
    await endSessions(trx, { user: userId });
    const action = isForOneTime ? 'user.password_reset' : 'user.password_set';
    await append(trx, { at: context.now(), actor: author.actor, action, target: `user:${userId}` });
  });
}

export async function requireUser(queries: AuthorityQueries, id: string): Promise<UserRow> {
  const user = await findUser(queries, id);
  if (user === undefined) throw new ProtocolError('not_found');
  return user;
}

/** The roles exist and grant no more than the author has. */
export async function requireReach(trx: AuthorityTransaction, author: Author, roles: readonly string[]): Promise<void> {
  const grants = await grantsOfRoles(trx, roles);
  if (grants === null) throw new ProtocolError('not_found', { message: 'One of the roles does not exist.' });
  requireWithin(author, grants);
}

/** The user has no more than the author. */
export async function requireReachOver(trx: AuthorityTransaction, author: Author, userId: string): Promise<void> {
  const roles = await trx.selectFrom('user_roles').select('role').where('user', '=', userId).execute();
  requireWithin(
    author,
    (await grantsOfRoles(
      trx,
      roles.map((r) => r.role),
    )) ?? [],
  );
}

function requireWithin(author: Author, grants: readonly string[]): void {
  if (withinReach(author.grants, grants.filter(isPermission))) return;
  throw new ProtocolError('forbidden', { message: 'That would reach further than your own roles do.' });
}
