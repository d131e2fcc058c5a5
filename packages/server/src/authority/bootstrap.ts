import { migrate } from '../database/migrate.ts';
import { GENESIS } from './audit/audit.ts';
import { type AuthorityContext, inTransaction, newId } from './context.ts';
import { AUTHORITY_STEPS } from './migrations.ts';
import { insertStandardRoles } from './roles.ts';
import { insertDefaultSettings } from './settings/settings.ts';
import { newRegistrationKey } from './sign-in/passwords.ts';

/** Brings the database to this version; on an empty one makes what every authority has. */
export async function bootstrap(context: AuthorityContext): Promise<{ isNew: boolean }> {
  await migrate(context.database, AUTHORITY_STEPS);
  return inTransaction(context, async (trx) => {
    const head = { id: 1, sequence: 0, hash: GENESIS };
    const first = await trx
      .insertInto('audit_head')
      .values(head)
      .onConflict((c) => c.column('id').doNothing())
      .returning('id')
      .execute();
    if (first.length === 0) return { isNew: false };
    await insertStandardRoles(trx);
    await insertDefaultSettings(context, trx);
    const created = context.now();
    const organization = {
      id: newId(context),
      name: 'Organization',
      registration_key: newRegistrationKey(context.random),
      sign_up: 0,
      created,
    };
    await trx.insertInto('organizations').values(organization).execute();
    // Storage beside the authority: a path, so that devices find it under whatever name they know the server by
    const destination = { id: newId(context), name: 'Default', storage: JSON.stringify(['/']), created };
    await trx.insertInto('destinations').values(destination).execute();
    return { isNew: true };
  });
}
