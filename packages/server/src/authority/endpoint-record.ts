import { z } from 'zod';
import type { AuthorityQueries } from './tables.ts';

/** Where the running server listens, noted for commands that run beside it. */

const endpoint = z.object({ host: z.string(), port: z.int() });
export type Endpoint = z.infer<typeof endpoint>;

const KEY = 'endpoint';

export async function recordEndpoint(queries: AuthorityQueries, where: Endpoint): Promise<void> {
  const value = JSON.stringify(where);
  await queries
    .insertInto('state')
    .values({ key: KEY, value })
    .onConflict((c) => c.column('key').doUpdateSet({ value }))
    .execute();
}

export async function recordedEndpoint(queries: AuthorityQueries): Promise<Endpoint | null> {
  const row = await queries.selectFrom('state').selectAll().where('key', '=', KEY).executeTakeFirst();
  return row === undefined ? null : endpoint.parse(JSON.parse(row.value));
}
