import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { createClient } from '@holdfast/protocol/client.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import type { DatabaseConfig } from '../../config.ts';
import { appliedSteps, migrate } from '../../database/migrate.ts';
import { type Database, openDatabase } from '../../database/open.ts';
import { onBothDatabases } from '../../database/testing/both.ts';
import type { ServerError } from '../../errors.ts';
import { makeDump } from '../../jobs.ts';
import { refusedWith } from '../../testing/refused.ts';
import { startTestServer, type TestDevice, type TestServer } from '../../testing/test-server.ts';
import { pinnedTransport } from '../../testing/transport.ts';
import { GENESIS } from '../audit/audit.ts';
import { createKeystore, openKeystore } from '../keyring/keystore.ts';
import { makeKit } from '../keyring/kit.ts';
import { AUTHORITY_STEPS } from '../migrations.ts';
import { type AuthorityTables, DUMP_ORDER } from '../tables.ts';
import { recover } from './recover.ts';
import { markUnfinished } from './unfinished.ts';
import { writeDump } from './write-dump.ts';

onBothDatabases('recovery', (fresh) => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-recover-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const kitFile = join(directory, 'kit.age');
  let t: TestServer;
  let device: TestDevice;
  let user: { username: string; password: string };
  let session: string;
  let words: string;
  let dumpFile: string;
  before(async () => {
    t = await startTestServer({ database: await fresh() });
    user = await t.addUser('ada@example.org');
    // Some programs take this for the end of a line
    device = await t.enrol(user, 'Ada\u2028s laptop');
    const { username, password } = user;
    session = (await t.client().call(identityRoutes.signIn, { body: { username, password } })).token;
    const random = (n: number) => randomBytes(n);
    words = await makeKit(t.server.foundation.keystore, kitFile, { now: Date.now(), random, scryptWork: 10 });
    dumpFile = await makeDump(t.config, t.server.foundation);
  });
  after(() => t.close());

  let count = 0;
  const target = (database: DatabaseConfig) => {
    count += 1;
    const dataDir = join(directory, `recovered-${count}`);
    const keystoreDir = join(dataDir, 'keystore');
    const options = { kitFile, words, dumpFile, dataDir, keystoreDir, database, now: Date.now() };
    return { dataDir, keystoreDir, options };
  };
  type Target = ReturnType<typeof target>;
  const inDatabase = async (
    { database }: Target['options'],
    work: (opened: Database<AuthorityTables>) => Promise<void>,
  ): Promise<void> => {
    const opened = openDatabase<AuthorityTables>(database);
    await work(opened);
    await opened.close();
  };
  const sqliteIn = (dataDir: string): DatabaseConfig => ({ kind: 'sqlite', file: join(dataDir, 'authority.db') });

  test('a device signs in to the recovered server without enrolling, by the CA it pinned; sessions have ended', async () => {
    const database = await fresh();
    const { dataDir, options } = target(database);
    const recovered = await recover(options);
    assert.equal(recovered.serverId, t.server.foundation.keystore.serverId);
    const again = await startTestServer({ dataDir, database });
    try {
      const transport = pinnedTransport(t.ca);
      const asDevice = createClient({ base: again.base, transport, token: () => device.credential });
      const context = await asDevice.call(deviceRoutes.context, {});
      assert.equal(context.device.guid, device.device.guid);
      assert.deepEqual(context.server, device.server);
      const asBefore = createClient({ base: again.base, transport, token: () => session });
      await assert.rejects(asBefore.call(identityRoutes.session, {}), refusedWith('unauthenticated'));
      await again.signIn(user);
      assert.equal(await again.server.authority.maintenanceHold(), 'recovered');
    } finally {
      await again.close();
    }
  });

  test('a dump of one kind of database recovers into the other', async () => {
    const { dataDir, options } = target({ kind: 'sqlite', file: '' });
    await recover({ ...options, database: sqliteIn(dataDir) });
    const other = await startTestServer({ dataDir });
    await other.signIn(user);
    await other.close();
  });

  test('wrong words, another kit and a damaged dump are told apart, and leave nothing behind', async () => {
    const strangers = await createKeystore(join(directory, `stranger-${count}`), Date.now());
    const strangeKit = join(directory, `stranger-${count}.age`);
    const random = (n: number) => randomBytes(n);
    const strangeWords = await makeKit(strangers, strangeKit, { now: 0, random, scryptWork: 10 });
    const bytes = readFileSync(dumpFile);
    const damaged = (name: string, content: Uint8Array) => {
      const path = join(directory, name);
      writeFileSync(path, content);
      return path;
    };
    const flipped = Buffer.from(bytes);
    flipped[bytes.length - 40] = (flipped[bytes.length - 40] ?? 0) ^ 1;
    const cases = [
      [{ words: strangeWords }, 'kit_wrong_words'],
      [{ kitFile: strangeKit, words: strangeWords }, 'dump_foreign'],
      [{ dumpFile: damaged('cut.age', bytes.subarray(0, bytes.length - 20)) }, 'dump_damaged'],
      [{ dumpFile: damaged('flipped.age', flipped) }, 'dump_damaged'],
      [{ dumpFile: damaged('empty.age', Buffer.alloc(0)) }, 'dump_damaged'],
      [{ dumpFile: join(directory, 'nowhere.age') }, 'dump_damaged'],
    ] as const;
    for (const [change, code] of cases) {
      const database = await fresh();
      const { keystoreDir, options } = target(database);
      await assert.rejects(recover({ ...options, ...change }), refusedWith(code), code);
      assert.equal(existsSync(keystoreDir), false);
      const left = openDatabase<AuthorityTables>(database);
      assert.deepEqual(await appliedSteps(left), []);
      await left.close();
    }
  });

  test('a dump from before a new kit is told as that, and opens with the kit that was moved aside', async () => {
    const kitBefore = join(directory, `before-${count}.age`);
    const keystore = { ...t.server.foundation.keystore, folder: mkdtempSync(join(directory, 'keystore-')) };
    const random = (n: number) => randomBytes(n);
    const later = Date.now() + 5000;
    cpSync(kitFile, kitBefore);
    const wordsNow = await makeKit(keystore, kitBefore, { now: later, random, scryptWork: 10 });
    const newKit = { kitFile: kitBefore, words: wordsNow };
    const refusal = async (change: object) => {
      const { options } = target(await fresh());
      return recover({ ...options, ...change }).then(
        () => null,
        (error: ServerError) => error,
      );
    };
    const told = await refusal(newKit);
    assert.equal(told?.code, 'dump_older_than_kit');
    assert.equal(told?.data?.['kit'], new Date(later).toISOString());
    const renamed = join(directory, 'renamed.age');
    cpSync(dumpFile, renamed);
    assert.equal((await refusal({ ...newKit, dumpFile: renamed }))?.code, 'dump_foreign', 'nothing tells its time');
    const [aside = ''] = readdirSync(directory).filter((name) => name.startsWith(`${basename(kitBefore)}.until-`));
    assert.equal(await refusal({ kitFile: join(directory, aside) }), null);
  });

  test('nothing is recovered over a server that is there', async () => {
    const { options } = target(t.config.database);
    await assert.rejects(recover(options), refusedWith('recover_not_empty'));
    await assert.rejects(recover({ ...options, keystoreDir: t.config.keystoreDir }), refusedWith('recover_not_empty'));
    await device.client.call(deviceRoutes.context, {});
  });

  test('one that was killed is repeated, wherever it was; until then no server starts there', async () => {
    const killed: Record<string, (made: Target) => Promise<void>> = {
      'with nothing in the database': async ({ options }) => inDatabase(options, markUnfinished),
      'with half of the tables': async ({ options }) =>
        inDatabase(options, async (database) => {
          await markUnfinished(database);
          await migrate(database, AUTHORITY_STEPS);
          await database.kysely.insertInto('audit_head').values({ id: 1, sequence: 0, hash: GENESIS }).execute();
        }),
      'with all but the end': async ({ options }) => {
        await recover(options);
        await inDatabase(options, markUnfinished);
      },
    };
    for (const [when, leave] of Object.entries(killed)) {
      const database = await fresh();
      const made = target(database);
      await leave(made);
      const { dataDir, options } = made;
      await assert.rejects(startTestServer({ dataDir, database }), refusedWith('recover_unfinished'), when);
      await recover(options);
      const again = await startTestServer({ dataDir, database });
      await again.signIn(user);
      await again.close();
      await assert.rejects(recover(options), refusedWith('recover_not_empty'), when);
    }
  });

  test('repeated over the keystore of another server, it is refused, and that keystore stays', async () => {
    const made = target(await fresh());
    const strange = await createKeystore(made.keystoreDir, Date.now());
    await inDatabase(made.options, markUnfinished);
    await assert.rejects(recover(made.options), refusedWith('recover_not_empty'));
    assert.equal((await openKeystore(made.keystoreDir)).serverId, strange.serverId);
  });

  test('every table of the database is in the dump', async () => {
    const tables = await t.server.foundation.context.database.kysely.introspection.getTables();
    assert.deepEqual(tables.map((table) => table.name).sort(), DUMP_ORDER.map((d) => d.table as string).sort());
  });

  test('nobody without the kit reads anything in a dump', () => {
    const content = readFileSync(dumpFile).toString('latin1');
    for (const secret of [user.username, device.device.guid, 'argon2id']) assert.ok(!content.includes(secret));
  });

  test('only the newest dumps are kept, and files of others are left alone', async () => {
    const { config } = t;
    writeFileSync(join(config.dumpDir, 'notes.txt'), 'mine');
    const { keystore, context } = t.server.foundation;
    const options = {
      database: context.database,
      keystoreDir: config.keystoreDir,
      serverId: keystore.serverId,
      dumpDir: config.dumpDir,
      version: '4.1.5',
      kept: 2,
    };
    const made: string[] = [];
    for (let day = 1; day <= 3; day++) made.push(await writeDump({ ...options, now: Date.UTC(2030, 0, day) }));
    const expected = [...made.slice(1).map((path) => path.slice(config.dumpDir.length + 1)), 'notes.txt'];
    assert.deepEqual(readdirSync(config.dumpDir).sort(), expected.sort());
  });

  test('a table larger than one batch is dumped whole', async () => {
    const { kysely } = t.server.foundation.context.database;
    const rows = Array.from({ length: 2500 }, (_, i) => ({ bucket: `b${i}`, failures: i, last: i }));
    for (let at = 0; at < rows.length; at += 500)
      await kysely
        .insertInto('attempts')
        .values(rows.slice(at, at + 500))
        .execute();
    const big = await makeDump(t.config, t.server.foundation);
    const { dataDir, options } = target({ kind: 'sqlite', file: '' });
    const database = sqliteIn(dataDir);
    await recover({ ...options, dumpFile: big, database });
    const copy = openDatabase<AuthorityTables>(database);
    const found = await copy.kysely.selectFrom('attempts').selectAll().where('bucket', 'like', 'b%').execute();
    assert.equal(new Set(found.map((r) => r.bucket)).size, 2500);
    await copy.close();
    await kysely.deleteFrom('attempts').execute();
  });
});
