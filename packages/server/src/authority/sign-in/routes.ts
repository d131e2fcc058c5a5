import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { allows, type PermissionId } from '@holdfast/protocol/permissions.ts';
import { type ServedRoute, serve } from '../../http/register.ts';
import { append } from '../audit/audit.ts';
import { type AuthorityContext, inTransaction } from '../context.ts';
import { describeUser, findUser } from '../users/store.ts';
import { beginAttempt } from './attempts.ts';
import { prepareOwnPassword } from './own-password.ts';
import type { Passwords } from './passwords.ts';
import { grantsOf, openSession } from './sessions.ts';
import { verifyCredentials } from './sign-in.ts';

/** Without it a user has devices, but no session. */
const CONSOLE: PermissionId = 'console.login';

export function signInRoutes(context: AuthorityContext, passwords: Passwords): ServedRoute[] {
  const { kysely } = context.database;
  return [
    serve(identityRoutes.signIn, async ({ body, address }) => {
      const user = await verifyCredentials(context, passwords, { ...body, address });
      const permissions = await grantsOf(kysely, user.id);
      if (!allows(permissions, CONSOLE)) throw new ProtocolError('forbidden', { data: { permission: CONSOLE } });
      const session = await inTransaction(context, async (trx) => {
        const opened = await openSession(context, trx, user.id);
        const details = { address };
        await append(trx, { at: context.now(), actor: `user:${user.id}`, action: 'user.signed_in', details });
        return opened;
      });
      return { ...session, user: await describeUser(kysely, user), permissions };
    }),

    serve(identityRoutes.signOut, async ({ principal }) => {
      await inTransaction(context, async (trx) => {
        await trx.deleteFrom('sessions').where('token_hash', '=', principal.session).execute();
        await append(trx, { at: context.now(), actor: `user:${principal.userId}`, action: 'user.signed_out' });
      });
      return undefined;
    }),

    serve(identityRoutes.session, async ({ principal }) => {
      const user = await findUser(kysely, principal.userId);
      if (user === undefined) throw new ProtocolError('unauthenticated');
      return {
        user: await describeUser(kysely, user),
        permissions: [...principal.grants],
        expires: principal.expires,
      };
    }),

    serve(identityRoutes.changePassword, async ({ principal, body, address }) => {
      // Whoever found an open session must not be able to guess the password through it
      const attempt = await beginAttempt(context, principal.username, address);
      const user = await findUser(kysely, principal.userId);
      const { ok } = await passwords.verify(body.current, user?.password_hash ?? null);
      if (user === undefined || !ok) throw new ProtocolError('sign_in_failed');
      await attempt.succeeded();
      await inTransaction(
        context,
        await prepareOwnPassword(context, passwords, user, { ...body, session: principal.session }),
      );
      return undefined;
    }),
  ];
}
