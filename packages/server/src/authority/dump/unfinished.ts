/**
 * The mark of a recovery under way, in the database that it fills: one that was cut off is told from a server that is there, wherever
 * its folders are. The last step of a recovery takes it away.
 */
import { sql } from 'kysely';
import { hasTable } from '../../database/migrate.ts';
import type { Database } from '../../database/open.ts';

const MARK = 'recovery_unfinished';

export const isUnfinished = <S>(database: Database<S>): Promise<boolean> => hasTable(database, MARK);

export async function markUnfinished<S>({ kysely, config }: Database<S>): Promise<void> {
  if (config.kind === 'postgres') await kysely.schema.createSchema(config.schema).ifNotExists().execute();
  await sql`create table ${sql.table(MARK)} (mark integer)`.execute(kysely);
}

export async function markFinished<S>({ kysely }: Database<S>): Promise<void> {
  await sql`drop table ${sql.table(MARK)}`.execute(kysely);
}
