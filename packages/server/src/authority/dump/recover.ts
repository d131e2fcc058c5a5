/**
 * Recovery: kit and dump make the authority again, on any machine and either database.
 *
 *     open the kit with the words, the dump with the kit's recovery key
 *     mark the empty database as unfinished, migrate it to where the dump was, put the rows back in one transaction
 *     migrate to this version; end all sessions; hold maintenance until an administrator looks
 *     write the keystore
 *     take the mark away: from now on this is a server
 *
 * Devices find the same CA and their own credentials, so they come back without enrolling. A recovery that fails leaves the
 * target as empty as it found it. One that was killed is repeated: it empties a database that bears the mark, and begins again;
 * no server starts on one (foundation.ts).
 */

import { createReadStream, existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { type Kysely, sql } from 'kysely';
import type { DatabaseConfig } from '../../config.ts';
import { lockDataFolder } from '../../data-lock.ts';
import { appliedSteps, migrate } from '../../database/migrate.ts';
import { type Database, openDatabase } from '../../database/open.ts';
import { ServerError } from '../../errors.ts';
import { makePrivateFolder } from '../../files.ts';
import { append, verifyChain } from '../audit/audit.ts';
import { openStreamWith } from '../keyring/age.ts';
import { keystoreExists, openKeystore, writeKeystore } from '../keyring/keystore.ts';
import { type Kit, openKit } from '../keyring/kit.ts';
import { holdMaintenance } from '../maintenance-hold.ts';
import { AUTHORITY_STEPS } from '../migrations.ts';
import { type AuthorityTables, DUMP_ORDER } from '../tables.ts';
import { type Cell, type DumpHeader, type DumpItem, decodeDump } from './dump-format.ts';
import { isUnfinished, markFinished, markUnfinished } from './unfinished.ts';
import { timeInName } from './write-dump.ts';

export type RecoverOptions = {
  readonly kitFile: string;
  readonly words: string;
  readonly dumpFile: string;
  readonly dataDir: string;
  readonly keystoreDir: string;
  readonly database: DatabaseConfig;
  readonly now: number;
};

export type Recovered = {
  readonly serverId: string;
  readonly dumpMade: number;
  readonly rows: number;
  /** Entries of the audit log, whose chain was checked. */
  readonly auditEntries: number;
};

export async function recover(options: RecoverOptions): Promise<Recovered> {
  const kit = await openKit(options.kitFile, options.words);
  await makePrivateFolder(options.dataDir);
  const lock = lockDataFolder(options.dataDir);
  try {
    const database = await emptyDatabase(options);
    const recovered = await fill(database, options, kit).catch(async (error: unknown) => {
      await clear(database);
      throw error;
    });
    await markFinished(database);
    await database.close();
    return recovered;
  } finally {
    lock.release();
  }
}

/** A new one, or one that a recovery did not finish. */
async function emptyDatabase({ database: config, keystoreDir }: RecoverOptions): Promise<Database<AuthorityTables>> {
  const database = openDatabase<AuthorityTables>(config);
  try {
    if (await isUnfinished(database)) {
      await clear(database);
      return openDatabase<AuthorityTables>(config);
    }
    const isNew = !keystoreExists(keystoreDir) && (await appliedSteps(database)).length === 0;
    if (!isNew) throw new ServerError('recover_not_empty');
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function fill(database: Database<AuthorityTables>, options: RecoverOptions, kit: Kit): Promise<Recovered> {
  await markUnfinished(database);
  const loaded = await load(database, readDump(options.dumpFile, kit));
  await migrate(database, AUTHORITY_STEPS);
  const auditEntries = await verifyChain(database.kysely);
  await afterwards(database, loaded.header, options.now);
  await restoreKeystore(options.keystoreDir, loaded);
  return { serverId: loaded.header.serverId, dumpMade: loaded.header.made, rows: loaded.rows, auditEntries };
}

/** One that is there already is that of the unfinished recovery, or another server's, which is never touched. */
async function restoreKeystore(folder: string, { header, files }: Loaded): Promise<void> {
  if (keystoreExists(folder)) {
    const { serverId } = await openKeystore(folder);
    if (serverId !== header.serverId) throw new ServerError('recover_not_empty');
    return;
  }
  await writeKeystore(folder, files);
  try {
    await openKeystore(folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

type Loaded = { readonly header: DumpHeader; readonly rows: number; readonly files: Record<string, Uint8Array> };

async function load(database: Database<AuthorityTables>, items: AsyncGenerator<DumpItem>): Promise<Loaded> {
  const first = await items.next();
  if (first.done === true || first.value.kind !== 'header') throw new ServerError('dump_damaged');
  const { header } = first.value;
  const known = Object.keys(AUTHORITY_STEPS);
  if (header.steps.some((step) => !known.includes(step))) {
    throw new ServerError('dump_newer', { data: { version: header.version } });
  }
  const to = header.steps.at(-1);
  await migrate(database, AUTHORITY_STEPS, to === undefined ? {} : { to });
  return database.kysely.transaction().execute(async (trx) => {
    const files: Record<string, Uint8Array> = {};
    let rows = 0;
    let insert: ((cells: readonly Cell[]) => Promise<void>) | null = null;
    for await (const item of items) {
      if (item.kind === 'file') files[item.name] = item.content;
      else if (item.kind === 'table') insert = inserter(trx as unknown as Kysely<unknown>, item.table, item.columns);
      else if (item.kind === 'row' && insert !== null) {
        await insert(item.cells);
        rows += 1;
      } else throw new ServerError('dump_damaged');
    }
    return { header, rows, files };
  });
}

function inserter(trx: Kysely<unknown>, table: string, columns: readonly string[]) {
  if (!DUMP_ORDER.some((t) => t.table === table)) throw new ServerError('dump_damaged', { data: { table } });
  const names = sql.join(columns.map((column) => sql.ref(column)));
  return async (cells: readonly Cell[]): Promise<void> => {
    if (cells.length !== columns.length) throw new ServerError('dump_damaged', { data: { table } });
    await sql`insert into ${sql.table(table)} (${names}) values (${sql.join(cells)})`.execute(trx);
  };
}

/** What the dump remembers may be older than what devices did since: nobody stays signed in, nothing is thinned out. */
async function afterwards(database: Database<AuthorityTables>, header: DumpHeader, now: number): Promise<void> {
  await database.kysely.transaction().execute(async (trx) => {
    await trx.deleteFrom('sessions').execute();
    await append(trx, { at: now, actor: 'system', action: 'server.recovered', details: { dumpMade: header.made } });
    await holdMaintenance(trx, now, 'recovered');
  });
}

async function* readDump(file: string, kit: Kit): AsyncGenerator<DumpItem> {
  if (!existsSync(file)) throw new ServerError('dump_damaged', { message: `${file} does not exist.` });
  const sealed = Readable.toWeb(createReadStream(file)) as ReadableStream<Uint8Array>;
  let plain: ReadableStream<Uint8Array>;
  try {
    plain = await openStreamWith(kit.recoveryIdentity, sealed);
  } catch (cause) {
    const foreign = cause instanceof Error && /no identity matched/i.test(cause.message);
    throw foreign ? notOfKit(file, kit, cause) : new ServerError('dump_damaged', { cause });
  }
  const decompress = createZstdDecompress();
  const done = pipeline(Readable.fromWeb(plain as never), decompress);
  try {
    yield* decodeDump(decompress);
    await done;
  } catch (cause) {
    decompress.destroy();
    // It was just broken off; what the dump was found to be is told
    await done.catch(() => undefined);
    throw cause instanceof ServerError ? cause : new ServerError('dump_damaged', { cause });
  }
}

const A_SECOND = 1000;

/** Nothing in the open tells whose a dump is, but its name tells when it was made. */
function notOfKit(file: string, { made }: Kit, cause: Error): ServerError {
  const dumped = timeInName(basename(file));
  if (dumped === null || dumped + A_SECOND > made) return new ServerError('dump_foreign', { cause });
  const [dump, kit] = [dumped, made].map((time) => new Date(time).toISOString());
  return new ServerError('dump_older_than_kit', { cause, data: { dump, kit } });
}

/** Takes out all that a recovery put into a database that was empty before, and closes it. */
async function clear(database: Database<AuthorityTables>): Promise<void> {
  const { config, kysely } = database;
  if (config.kind === 'postgres') await sql`drop schema if exists ${sql.id(config.schema)} cascade`.execute(kysely);
  await database.close();
  if (config.kind === 'sqlite')
    for (const suffix of ['', '-wal', '-shm']) await rm(config.file + suffix, { force: true });
}
