import type { User } from '@holdfast/protocol/identity-routes.ts';
import { usernameKey } from '../sign-in/rules.ts';
import type { AuthorityQueries, UserRow } from '../tables.ts';

export const findUserByName = (queries: AuthorityQueries, username: string): Promise<UserRow | undefined> =>
  queries.selectFrom('users').selectAll().where('username_key', '=', usernameKey(username)).executeTakeFirst();

export const findUser = (queries: AuthorityQueries, id: string): Promise<UserRow | undefined> =>
  queries.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();

export type NewUser = {
  readonly id: string;
  readonly organization: string;
  readonly username: string;
  readonly name: string;
  readonly passwordHash: string;
  readonly mustChangePassword: boolean;
  readonly roles: readonly string[];
  readonly created: number;
};

/** Inserts unless the name is taken; says whether it did. */
export async function insertUser(queries: AuthorityQueries, user: NewUser): Promise<boolean> {
  const inserted = await queries
    .insertInto('users')
    .values({
      id: user.id,
      organization: user.organization,
      username: user.username,
      username_key: usernameKey(user.username),
      name: user.name,
      state: 'active',
      password_hash: user.passwordHash,
      must_change_password: user.mustChangePassword ? 1 : 0,
      key_level: 'account',
      created: user.created,
    })
    .onConflict((c) => c.column('username_key').doNothing())
    .returning('id')
    .execute();
  if (inserted.length === 0) return false;
  await setRoles(queries, user.id, user.roles);
  return true;
}

export async function setRoles(queries: AuthorityQueries, user: string, roles: readonly string[]): Promise<void> {
  await queries.deleteFrom('user_roles').where('user', '=', user).execute();
  const rows = [...new Set(roles)].map((role) => ({ user, role }));
  if (rows.length > 0) await queries.insertInto('user_roles').values(rows).execute();
}

export async function setPassword(
  queries: AuthorityQueries,
  user: string,
  passwordHash: string,
  mustChange: boolean,
): Promise<void> {
  const values = { password_hash: passwordHash, must_change_password: mustChange ? 1 : 0 };
  await queries.updateTable('users').set(values).where('id', '=', user).execute();
}

/** Sets a password that the user chose, unless it was changed since `user` was read; says whether it did. */
export async function replacePassword(
  queries: AuthorityQueries,
  user: UserRow,
  passwordHash: string,
): Promise<boolean> {
  const { numUpdatedRows } = await queries
    .updateTable('users')
    .set({ password_hash: passwordHash, must_change_password: 0 })
    .where('id', '=', user.id)
    .where('password_hash', '=', user.password_hash)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The grants of roles, or `null` when one of them does not exist. */
export async function grantsOfRoles(queries: AuthorityQueries, roles: readonly string[]): Promise<string[] | null> {
  if (roles.length === 0) return [];
  const found = await queries.selectFrom('roles').select('id').where('id', 'in', roles).execute();
  if (found.length !== new Set(roles).size) return null;
  const grants = await queries.selectFrom('role_grants').select('permission').where('role', 'in', roles).execute();
  return grants.map((g) => g.permission);
}

/** Users as the API shows them. */
export async function describeUsers(queries: AuthorityQueries, rows: readonly UserRow[]): Promise<User[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((r) => r.id);
  const roles = await queries.selectFrom('user_roles').selectAll().where('user', 'in', ids).orderBy('role').execute();
  const archives = await queries.selectFrom('archives').select(['user', 'id']).where('user', 'in', ids).execute();
  return rows.map((row) => ({
    id: row.id,
    username: row.username,
    name: row.name,
    state: row.state,
    roles: roles.filter((r) => r.user === row.id).map((r) => r.role),
    keyLevel: row.key_level,
    archive: archives.find((a) => a.user === row.id)?.id ?? null,
    created: row.created,
    mustChangePassword: row.must_change_password === 1,
  }));
}

export async function describeUser(queries: AuthorityQueries, row: UserRow): Promise<User> {
  const [user] = await describeUsers(queries, [row]);
  if (user === undefined) throw new TypeError('one row in, one user out');
  return user;
}

/** By name, from after `after`. */
export function listUsers(
  queries: AuthorityQueries,
  page: { after?: string | undefined; limit: number },
): Promise<UserRow[]> {
  let query = queries.selectFrom('users').selectAll().orderBy('username_key').limit(page.limit);
  if (page.after !== undefined) query = query.where('username_key', '>', page.after);
  return query.execute();
}
