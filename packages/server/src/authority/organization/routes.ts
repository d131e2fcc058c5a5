import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { type ServedRoute, serve } from '../../http/register.ts';
import { append, readEntries } from '../audit/audit.ts';
import { type AuthorityContext, inTransaction } from '../context.ts';
import { newRegistrationKey } from '../sign-in/passwords.ts';
import { theOrganization } from './store.ts';

export function organizationRoutes(
  context: AuthorityContext,
  enrolmentString: (registrationKey: string) => string,
): ServedRoute[] {
  const { kysely } = context.database;
  return [
    serve(identityRoutes.organization, async () => {
      const { id, name, registration_key: key, sign_up } = await theOrganization(kysely);
      return { id, name, registrationKey: key, enrolmentString: enrolmentString(key), signUp: sign_up === 1 };
    }),

    serve(identityRoutes.updateOrganization, async ({ principal, body: { name, signUp } }) => {
      await inTransaction(context, async (trx) => {
        const organization = await theOrganization(trx);
        const values = {
          name: name ?? organization.name,
          sign_up: signUp === undefined ? organization.sign_up : Number(signUp),
        };
        await trx.updateTable('organizations').set(values).where('id', '=', organization.id).execute();
        await append(trx, {
          at: context.now(),
          actor: `user:${principal.userId}`,
          action: 'organization.updated',
          target: `organization:${organization.id}`,
          details: { ...(name !== undefined && { name }), ...(signUp !== undefined && { signUp }) },
        });
      });
      return undefined;
    }),

    serve(identityRoutes.renewRegistrationKey, async ({ principal }) => {
      const registrationKey = newRegistrationKey(context.random);
      await inTransaction(context, async (trx) => {
        const { id } = await theOrganization(trx);
        await trx
          .updateTable('organizations')
          .set({ registration_key: registrationKey })
          .where('id', '=', id)
          .execute();
        await append(trx, {
          at: context.now(),
          actor: `user:${principal.userId}`,
          action: 'organization.registration_key_renewed',
          target: `organization:${id}`,
        });
      });
      return { registrationKey, enrolmentString: enrolmentString(registrationKey) };
    }),

    serve(identityRoutes.audit, async ({ query }) => {
      const rows = await readEntries(kysely, query);
      return { entries: rows.map((row) => ({ ...row, details: JSON.parse(row.details) as Record<string, unknown> })) };
    }),
  ];
}
