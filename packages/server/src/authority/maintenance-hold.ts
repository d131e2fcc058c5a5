import { type Actor, append } from './audit/audit.ts';
import { type AuthorityContext, inTransaction } from './context.ts';
import type { AuthorityQueries } from './tables.ts';

/**
 * After a recovery the authority may remember less than the store points hold. Retention and collect stay off until an
 * administrator has looked and turns them on (ARCHIVE §4).
 */

const KEY = 'maintenance_hold';

export async function maintenanceHold(queries: AuthorityQueries): Promise<string | null> {
  const row = await queries.selectFrom('state').selectAll().where('key', '=', KEY).executeTakeFirst();
  return row?.value ?? null;
}

export async function holdMaintenance(queries: AuthorityQueries, now: number, reason: string): Promise<void> {
  await queries
    .insertInto('state')
    .values({ key: KEY, value: reason })
    .onConflict((c) => c.column('key').doUpdateSet({ value: reason }))
    .execute();
  await append(queries, { at: now, actor: 'system', action: 'maintenance.held', details: { reason } });
}

export async function releaseMaintenance(context: AuthorityContext, actor: Actor): Promise<void> {
  await inTransaction(context, async (trx) => {
    await trx.deleteFrom('state').where('key', '=', KEY).execute();
    await append(trx, { at: context.now(), actor, action: 'maintenance.released' });
  });
}
