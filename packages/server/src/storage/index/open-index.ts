// Opens the index of one store point: SQLite with one thread that writes and one that reads, or PostgreSQL.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, type RawBuilder, sql } from 'kysely';
import pg from 'pg';
import type { DatabaseConfig } from '../../config.ts';
import { migrate } from '../../database/migrate.ts';
import { type Database, openDatabase, type Queries } from '../../database/open.ts';
import { type Hold, holdIndex } from './hold.ts';
import { SqliteFailure, sqliteThreadDialect } from './sqlite-dialect.ts';
import { type IndexTables, indexSteps, type Kind } from './tables.ts';

/** What a query runs on: the database or a transaction of it. */
export type On = { readonly db: Queries<IndexTables>; readonly kind: Kind };

export type Index = {
  readonly kind: Kind;
  /** Each statement sees what was committed before it began. */
  read<T>(work: (on: On) => Promise<T>): Promise<T>;
  /** One transaction. It may run again from its start, so `work` touches nothing but the database. */
  write<T>(work: (on: On) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

export type OpenIndexOptions = {
  /** `alone` refuses when anybody else has the index open (`data_in_use`), and keeps others out. */
  readonly hold?: 'shared' | 'alone';
  readonly onIdleError?: (error: Error) => void;
};

/** An acknowledged pack must still have its row after a power cut: WAL syncs at each commit only with FULL. */
const WRITER = ['journal_mode = wal', 'synchronous = full', 'cache_size = -65536', 'temp_store = memory'];
const READER = ['query_only = on', 'cache_size = -65536', 'temp_store = memory'];

export async function openIndex(config: DatabaseConfig, options: OpenIndexOptions = {}): Promise<Index> {
  if (config.kind === 'sqlite' && config.file !== ':memory:')
    mkdirSync(dirname(config.file), { recursive: true, mode: 0o700 });
  const hold = await holdIndex(config, options.hold ?? 'shared');
  try {
    const index = config.kind === 'sqlite' ? await openSqlite(config) : await openPostgres(config, options);
    return { ...index, close: () => closeBoth(index, hold) };
  } catch (error) {
    await hold.release();
    throw error;
  }
}

async function closeBoth(index: Index, hold: Hold): Promise<void> {
  try {
    await index.close();
  } finally {
    await hold.release();
  }
}

async function openSqlite(config: DatabaseConfig & { kind: 'sqlite' }): Promise<Index> {
  const writer = new Kysely<IndexTables>({ dialect: sqliteThreadDialect({ file: config.file, pragmas: WRITER }) });
  await migrate({ kind: 'sqlite', config, kysely: writer, close: () => writer.destroy() }, indexSteps('sqlite'));
  if (config.file === ':memory:') return indexOn('sqlite', writer, writer);
  const reader = new Kysely<IndexTables>({ dialect: sqliteThreadDialect({ file: config.file, pragmas: READER }) });
  return indexOn('sqlite', writer, reader);
}

async function openPostgres(config: DatabaseConfig & { kind: 'postgres' }, options: OpenIndexOptions): Promise<Index> {
  const idle = options.onIdleError ? { onIdleError: options.onIdleError } : {};
  const database = openDatabase<IndexTables>(config, idle);
  await migrate(database, indexSteps('postgres'));
  return indexOn('postgres', database.kysely, database.kysely);
}

/** An index on a database that the caller has opened; the migrations run here. */
export async function indexOver(database: Database<IndexTables>): Promise<Index> {
  await migrate(database, indexSteps(database.kind));
  return indexOn(database.kind, database.kysely, database.kysely);
}

function indexOn(kind: Kind, writer: Kysely<IndexTables>, reader: Kysely<IndexTables>): Index {
  return {
    kind,
    read: (work) => work({ db: reader, kind }),
    write: (work) => again(() => writer.transaction().execute((db) => work({ db, kind }))),
    close: async () => {
      if (reader !== writer) await reader.destroy();
      await writer.destroy();
    },
  };
}

const ATTEMPTS = 5;

/** PostgreSQL (and the engines that speak like it) may refuse a transaction only because of another one. */
async function again<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction();
    } catch (error) {
      if (attempt === ATTEMPTS || !isConflict(error)) throw error;
    }
  }
}

/** serialization_failure, deadlock_detected */
const isConflict = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && (error.code === '40001' || error.code === '40P01');

const SQLITE_FULL = 13;
/** disk_full of PostgreSQL */
const PG_DISK_FULL = '53100';

/** Has the medium of the index no space left? */
export const isIndexFull = (error: unknown): boolean =>
  (error instanceof SqliteFailure && ((error.sqliteCode ?? 0) & 0xff) === SQLITE_FULL) ||
  (error instanceof pg.DatabaseError && error.code === PG_DISK_FULL);

/** Makes others wait for the row; SQLite has one writer anyway. */
export const forUpdate = (on: On): RawBuilder<unknown> => (on.kind === 'postgres' ? sql`for update` : sql``);
