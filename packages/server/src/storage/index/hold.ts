// Who has an index open. Servers and maintenance share it; a rebuild wants it alone. The locks belong to the process:
// when it dies, however it dies, they are gone.

import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import type { DatabaseConfig } from '../../config.ts';
import { ServerError } from '../../errors.ts';

export type Hold = { release(): Promise<void> };

export function holdIndex(config: DatabaseConfig, how: 'shared' | 'alone'): Promise<Hold> {
  switch (config.kind) {
    case 'sqlite':
      return config.file === ':memory:' ? Promise.resolve({ release: async () => {} }) : holdFile(config.file, how);
    case 'postgres':
      return holdSchema(config, how);
    default:
      return config satisfies never;
  }
}

const inUse = (cause?: unknown) =>
  new ServerError('data_in_use', {
    message: 'The index is open in another process; stop the server (or the rebuild) first.',
    cause,
  });

/** SQLite's own file locks, on a file beside the index: a reader's keeps an exclusive one out. */
async function holdFile(file: string, how: 'shared' | 'alone'): Promise<Hold> {
  const lock = new DatabaseSync(`${file}.lock`);
  try {
    lock.exec(how === 'alone' ? 'begin exclusive' : 'begin');
    if (how === 'shared') lock.prepare('select count(*) from sqlite_master').get();
  } catch (error) {
    lock.close();
    throw inUse(error);
  }
  return { release: async () => lock.close() };
}

/** Any number that nothing else of ours locks by. */
const LOCK_CLASS = 0x4846;

async function holdSchema({ url, schema }: DatabaseConfig & { kind: 'postgres' }, how: 'shared' | 'alone') {
  const client = new pg.Client({ connectionString: url });
  // A lost connection loses the lock; the pool of the index then fails as well and says so.
  client.on('error', () => {});
  await client.connect();
  const take = how === 'alone' ? 'pg_try_advisory_lock' : 'pg_try_advisory_lock_shared';
  const { rows } = await client.query(`select ${take}($1, hashtext($2)) as held`, [LOCK_CLASS, schema]);
  if (rows[0]?.held !== true) {
    await client.end();
    throw inUse();
  }
  return { release: () => client.end() };
}
