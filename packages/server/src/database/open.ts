/**
 * Databases: SQLite inside the process or PostgreSQL beside it, one query layer (Kysely) over both.
 *
 * A *database* is an open connection or pool; a *step* is a numbered migration; *column types* are the few that mean the
 * same on both. Ids are hex text, times integer milliseconds, booleans 0 or 1, JSON text, bytes `Uint8Array`.
 */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, type Transaction } from 'kysely';
import type { DatabaseConfig } from '../config.ts';
import { openPostgres } from './postgres.ts';
import { NodeSqliteDialect, openSqlite } from './sqlite.ts';

export type Database<Schema> = {
  readonly kind: DatabaseConfig['kind'];
  readonly config: DatabaseConfig;
  /** Inside `transaction` use only the transaction that is passed in: SQLite has a single connection. */
  readonly kysely: Kysely<Schema>;
  close(): Promise<void>;
};

/** What a query function asks for: it runs on the database or in a transaction. */
export type Queries<Schema> = Kysely<Schema> | Transaction<Schema>;

export type OpenOptions = {
  /** For a consistent read beside a writer. */
  readonly readOnly?: boolean;
  /** Hears of broken idle connections; they are replaced by themselves. */
  readonly onIdleError?: (error: Error) => void;
};

export function openDatabase<Schema>(config: DatabaseConfig, options: OpenOptions = {}): Database<Schema> {
  const kysely = new Kysely<Schema>({ dialect: dialect(config, options) });
  return { kind: config.kind, config, kysely, close: () => kysely.destroy() };
}

function dialect(config: DatabaseConfig, { readOnly = false, onIdleError = () => {} }: OpenOptions) {
  switch (config.kind) {
    case 'sqlite':
      if (!readOnly) mkdirSync(dirname(config.file), { recursive: true, mode: 0o700 });
      return new NodeSqliteDialect(openSqlite(config.file, readOnly));
    case 'postgres':
      return openPostgres(config.url, config.schema, onIdleError);
    default:
      return config satisfies never;
  }
}

/** Runs `work` over one unchanging state of the database. */
export function readSnapshot<Schema, T>(
  database: Database<Schema>,
  work: (queries: Transaction<Schema>) => Promise<T>,
): Promise<T> {
  const transaction = database.kysely.transaction().setAccessMode('read only');
  return (database.kind === 'postgres' ? transaction.setIsolationLevel('repeatable read') : transaction).execute(work);
}
