import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { isPermission } from '@holdfast/protocol/permissions.ts';
import type { UserPrincipal } from '../../http/principal.ts';
import { type ServedRoute, serve } from '../../http/register.ts';
import { append } from '../audit/audit.ts';
import { type AuthorityContext, type AuthorityTransaction, inTransaction } from '../context.ts';
import type { Passwords } from '../sign-in/passwords.ts';
import { endSessions } from '../sign-in/sessions.ts';
import { type Author, createUser, requireReach, requireReachOver, requireUser, resetPassword } from './create.ts';
import { describeUser, describeUsers, findUser, listUsers, setRoles } from './store.ts';

export const authorOf = (principal: UserPrincipal): Author => ({
  actor: `user:${principal.userId}`,
  grants: principal.grants,
});

export function userRoutes(context: AuthorityContext, passwords: Passwords): ServedRoute[] {
  const { kysely } = context.database;
  return [
    serve(identityRoutes.users, async ({ query }) => {
      const rows = await listUsers(kysely, query);
      const next = rows.length < query.limit ? null : (rows.at(-1)?.username_key ?? null);
      return { items: await describeUsers(kysely, rows), next };
    }),

    serve(identityRoutes.createUser, async ({ principal, body }) => {
      const own = await findUser(kysely, principal.userId);
      if (own === undefined) throw new ProtocolError('unauthenticated');
      const request = { ...body, organization: own.organization };
      const { user, oneTimePassword } = await createUser(context, passwords, authorOf(principal), request);
      return { user: await describeUser(kysely, user), oneTimePassword };
    }),

    serve(identityRoutes.updateUser, async ({ principal, params, body }) => {
      const row = await inTransaction(context, (trx) =>
        updateUser(context, trx, authorOf(principal), params.user, body),
      );
      return describeUser(kysely, row);
    }),

    serve(identityRoutes.resetPassword, async ({ principal, params }) => ({
      oneTimePassword: await resetPassword(context, passwords, authorOf(principal), params.user),
    })),

    serve(identityRoutes.roles, async () => {
      const roles = await kysely.selectFrom('roles').selectAll().orderBy('name').execute();
      const grants = await kysely.selectFrom('role_grants').selectAll().orderBy('permission').execute();
      const grantsOf = (role: string) => grants.filter((g) => g.role === role).map((g) => g.permission);
      return {
        roles: roles.map(({ id, name, locked }) => ({
          id,
          name,
          locked: locked === 1,
          grants: grantsOf(id).filter(isPermission),
        })),
      };
    }),
  ];
}

type Change = {
  readonly name?: string | undefined;
  readonly state?: 'active' | 'blocked' | undefined;
  readonly roles?: readonly string[] | undefined;
};

async function updateUser(
  context: AuthorityContext,
  trx: AuthorityTransaction,
  author: Author,
  id: string,
  { name, state, roles }: Change,
) {
  const user = await requireUser(trx, id);
  await requireReachOver(trx, author, id);
  if (roles !== undefined) {
    await requireReach(trx, author, roles);
    await setRoles(trx, id, roles);
  }
  const values = { name: name ?? user.name, state: state ?? user.state };
  await trx.updateTable('users').set(values).where('id', '=', id).execute();
  await requireAnAdministrator(trx);
  if (state === 'blocked') await endSessions(trx, { user: id });
  await append(trx, {
    at: context.now(),
    actor: author.actor,
    action: 'user.updated',
    target: `user:${id}`,
    details: { ...(name !== undefined && { name }), ...(state && { state }), ...(roles && { roles }) },
  });
  return requireUser(trx, id);
}

/** The last one may not lock everybody out, themselves included. */
async function requireAnAdministrator(trx: AuthorityTransaction): Promise<void> {
  const left = await trx
    .selectFrom('users')
    .innerJoin('user_roles', 'user_roles.user', 'users.id')
    .innerJoin('role_grants', 'role_grants.role', 'user_roles.role')
    .where('role_grants.permission', '=', 'admin')
    .where('users.state', '=', 'active')
    .select('users.id')
    .limit(1)
    .execute();
  if (left.length === 0) {
    throw new ProtocolError('conflict', { message: 'No active administrator would be left; make another one first.' });
  }
}
