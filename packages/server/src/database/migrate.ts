import { type ColumnDataType, type Kysely, Migrator, type RawBuilder, sql } from 'kysely';
import { ServerError } from '../errors.ts';
import type { Database } from './open.ts';

/**
 * Migrations: numbered steps in code, run in one transaction, all or none. They only expand what is there, so that the
 * version before can still work with the result.
 */

type ColumnType = ColumnDataType | RawBuilder<unknown>;

/** Types that behave alike on both databases. */
export type ColumnTypes = {
  /** Compared byte by byte. */
  readonly text: ColumnType;
  /** Whole numbers to 2^53. */
  readonly integer: ColumnType;
  readonly bytes: ColumnType;
  /** Goes at the end of `create table`: makes SQLite check types as PostgreSQL does. */
  readonly strict: RawBuilder<unknown>;
};

const COLUMN_TYPES: Record<Database<unknown>['kind'], ColumnTypes> = {
  sqlite: { text: 'text', integer: 'integer', bytes: 'blob', strict: sql`strict` },
  postgres: { text: sql`text collate "C"`, integer: 'bigint', bytes: 'bytea', strict: sql`` },
};

export type Step = (db: Kysely<unknown>, types: ColumnTypes) => Promise<void>;

/** By name; the names sort in the order of running: `0001_foundation`. */
export type Steps = Readonly<Record<string, Step>>;

/** Brings the database to the last step, or to `to`; resolves with the names of the steps that ran. */
export async function migrate<S>(
  database: Database<S>,
  steps: Steps,
  options: { to?: string } = {},
): Promise<string[]> {
  const { config, kind } = database;
  const types = COLUMN_TYPES[kind];
  const migrations = Object.entries(steps).map(([name, step]) => [
    name,
    { up: (db: Kysely<unknown>) => step(db, types) },
  ]);
  const migrator = new Migrator({
    db: database.kysely,
    provider: { getMigrations: async () => Object.fromEntries(migrations) },
    ...(config.kind === 'postgres' && { migrationTableSchema: config.schema }),
  });
  const { error, results } = await (options.to === undefined
    ? migrator.migrateToLatest()
    : migrator.migrateTo(options.to));
  if (error !== undefined) throw failure(error, results?.find((r) => r.status === 'Error')?.migrationName);
  return (results ?? []).map((r) => r.migrationName);
}

function failure(cause: unknown, step: string | undefined): ServerError {
  // Kysely's only sign that the database knows a step that this program does not
  if (cause instanceof Error && cause.message.startsWith('corrupted migrations')) {
    return new ServerError('database_newer', { cause });
  }
  return new ServerError('migration_failed', { cause, data: { step: step ?? null } });
}

/** The steps that ran on this database, in order; none when it is new. */
export async function appliedSteps<S>(database: Database<S>): Promise<string[]> {
  if (!(await hasTable(database, 'kysely_migration'))) return [];
  const db = database.kysely as unknown as Kysely<{ kysely_migration: { name: string } }>;
  const rows = await db.selectFrom('kysely_migration').select('name').orderBy('name').execute();
  return rows.map((r) => r.name);
}

export async function hasTable<S>({ kysely, config }: Database<S>, name: string): Promise<boolean> {
  const tables = await kysely.introspection.getTables({ withInternalKyselyTables: true });
  const isOurs = (schema: string | undefined) => config.kind === 'sqlite' || schema === config.schema;
  return tables.some((table) => table.name === name && isOurs(table.schema));
}
