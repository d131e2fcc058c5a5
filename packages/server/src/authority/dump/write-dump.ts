/**
 * Dumps: the whole authority in one file, sealed to the recovery key, which only the recovery kit holds. One read
 * transaction, table by table, beside a working server; then the keystore.
 */

import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createZstdCompress } from 'node:zlib';
import { type RawBuilder, sql } from 'kysely';
import { appliedSteps } from '../../database/migrate.ts';
import { type Database, openDatabase, readSnapshot } from '../../database/open.ts';
import { ServerError } from '../../errors.ts';
import { makePrivateFolder, writeDurably } from '../../files.ts';
import { sealStreamTo } from '../keyring/age.ts';
import { readRecovery } from '../keyring/keystore.ts';
import { type AuthorityQueries, type AuthorityTables, DUMP_ORDER } from '../tables.ts';
import { type Cell, type DumpItem, encodeDump } from './dump-format.ts';

export type DumpOptions = {
  readonly database: Database<AuthorityTables>;
  readonly keystoreDir: string;
  readonly serverId: string;
  readonly dumpDir: string;
  readonly version: string;
  readonly now: number;
  readonly kept: number;
};

const FILE_NAME = /^holdfast-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.dump\.age$/;

export const dumpFileName = (now: number): string =>
  `holdfast-${new Date(now)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:]/g, '')}.dump.age`;

/** When a dump was made, by its name: the second, in ms. Null for one that was renamed. */
export function timeInName(fileName: string): number | null {
  const found = FILE_NAME.exec(fileName);
  if (found === null) return null;
  const [, year, month, day, hour, minute, second] = found;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** Writes one and removes the oldest beyond `kept`; resolves with its path. Rejects with `kit_missing` without a kit. */
export async function writeDump(options: DumpOptions): Promise<string> {
  const recovery = await readRecovery(options.keystoreDir);
  if (recovery === null) throw new ServerError('kit_missing');
  await makePrivateFolder(options.dumpDir);
  const path = join(options.dumpDir, dumpFileName(options.now));
  const reader = openDatabase<AuthorityTables>(options.database.config, { readOnly: true });
  try {
    const steps = await appliedSteps(reader);
    await readSnapshot(reader, async (trx) => {
      const text = encodeDump(itemsOf(options, steps, trx));
      const compressed = Readable.from(text).pipe(createZstdCompress());
      const plain = Readable.toWeb(compressed) as ReadableStream<Uint8Array>;
      await writeDurably(path, await sealStreamTo(recovery.recipient, plain));
    });
  } finally {
    await reader.close();
  }
  await removeOldest(options);
  return path;
}

async function* itemsOf(
  { serverId, version, now, keystoreDir }: DumpOptions,
  steps: string[],
  queries: AuthorityQueries,
): AsyncGenerator<DumpItem> {
  yield { kind: 'header', header: { dump: 1, serverId, made: now, version, steps } };
  for (const { table, key } of DUMP_ORDER) yield* rowsOf(queries, table, key);
  for (const name of (await readdir(keystoreDir)).sort()) {
    // Written aside and not yet renamed
    if (name.startsWith('.')) continue;
    yield { kind: 'file', name, content: await readFile(join(keystoreDir, name)) };
  }
}

const BATCH = 1000;

async function* rowsOf(queries: AuthorityQueries, table: string, key: readonly string[]): AsyncGenerator<DumpItem> {
  const keyColumns = sql.join(key.map((column) => sql.ref(column)));
  let columns: string[] | null = null;
  let after: Cell[] | null = null;
  for (;;) {
    const past: RawBuilder<unknown> = after === null ? sql`` : sql`where (${keyColumns}) > (${sql.join(after)})`;
    const query: RawBuilder<Record<string, Cell>> = sql<
      Record<string, Cell>
    >`select * from ${sql.table(table)} ${past} order by ${keyColumns} limit ${BATCH}`;
    const { rows }: { rows: Record<string, Cell>[] } = await query.execute(queries);
    for (const row of rows) {
      if (columns === null) {
        columns = Object.keys(row);
        yield { kind: 'table', table, columns };
      }
      yield { kind: 'row', cells: columns.map((column) => row[column] ?? null) };
    }
    const lastRow = rows.at(-1);
    if (rows.length < BATCH || lastRow === undefined) return;
    after = key.map((column) => lastRow[column] ?? null);
  }
}

async function removeOldest({ dumpDir, kept }: DumpOptions): Promise<void> {
  const dumps = (await readdir(dumpDir)).filter((name) => FILE_NAME.test(name)).sort();
  for (const name of dumps.slice(0, Math.max(0, dumps.length - kept))) await rm(join(dumpDir, name));
}
