import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ServerError } from '../errors.ts';
import { appliedSteps, migrate, type Steps } from './migrate.ts';
import { type Database, openDatabase, readSnapshot } from './open.ts';
import { onBothDatabases } from './testing/both.ts';

type Things = { id: string; size: number; body: Uint8Array | null };
type Schema = { things: Things };

const first: Steps = {
  '0001_things': async (db, types) => {
    await db.schema
      .createTable('things')
      .addColumn('id', types.text, (c) => c.primaryKey())
      .addColumn('size', types.integer, (c) => c.notNull())
      .addColumn('body', types.bytes)
      .modifyEnd(types.strict)
      .execute();
  },
};

onBothDatabases('database', (fresh) => {
  async function migrated(): Promise<Database<Schema>> {
    const database = openDatabase<Schema>(await fresh());
    await migrate(database, first);
    return database;
  }

  test('numbers to 2^53 and bytes come back as they went in', async () => {
    const database = await migrated();
    const row = { id: 'a', size: Number.MAX_SAFE_INTEGER, body: Uint8Array.of(0, 255, 92, 39) };
    await database.kysely.insertInto('things').values(row).execute();
    const back = await database.kysely.selectFrom('things').selectAll().execute();
    assert.deepEqual(back, [row]);
    assert.equal(back[0]?.body?.constructor, Uint8Array);
    await database.close();
  });

  test('text sorts byte by byte', async () => {
    const database = await migrated();
    const ids = ['b', 'A', 'a', 'Z', 'ä'];
    await database.kysely
      .insertInto('things')
      .values(ids.map((id) => ({ id, size: 0, body: null })))
      .execute();
    const rows = await database.kysely.selectFrom('things').select('id').orderBy('id').execute();
    assert.deepEqual(
      rows.map((r) => r.id),
      ['A', 'Z', 'a', 'b', 'ä'],
    );
    await database.close();
  });

  test('a value of the wrong type is refused', async () => {
    const database = await migrated();
    const row = { id: 'a', size: 'many' as never, body: null };
    await assert.rejects(database.kysely.insertInto('things').values(row).execute());
    await database.close();
  });

  test('a transaction that throws leaves nothing', async () => {
    const database = await migrated();
    const failing = database.kysely.transaction().execute(async (trx) => {
      await trx.insertInto('things').values({ id: 'a', size: 1, body: null }).execute();
      throw new Error('stop');
    });
    await assert.rejects(failing, /stop/);
    assert.deepEqual(await database.kysely.selectFrom('things').selectAll().execute(), []);
    await database.close();
  });

  test('migrations run once, and only those that are missing', async () => {
    const database = openDatabase<Schema>(await fresh());
    assert.deepEqual(await appliedSteps(database), []);
    assert.deepEqual(await migrate(database, first), ['0001_things']);
    assert.deepEqual(await migrate(database, first), []);
    const second: Steps = {
      ...first,
      '0002_more': (db, t) => db.schema.alterTable('things').addColumn('more', t.text).execute(),
    };
    assert.deepEqual(await migrate(database, second), ['0002_more']);
    assert.deepEqual(await appliedSteps(database), ['0001_things', '0002_more']);
    await database.close();
  });

  test('a migration that fails half-way leaves nothing behind', async () => {
    const database = await migrated();
    await database.kysely.insertInto('things').values({ id: 'kept', size: 1, body: null }).execute();
    const failing: Steps = {
      ...first,
      '0002_good': (db, t) => db.schema.createTable('good').addColumn('id', t.text).execute(),
      '0003_bad': async (db, t) => {
        await db.schema.alterTable('things').addColumn('half', t.text).execute();
        await db.schema.createTable('half_made').addColumn('id', t.text).execute();
        await db.schema.dropTable('missing').execute();
      },
    };
    await assert.rejects(migrate(database, failing), (error: ServerError) => {
      assert.equal(error.code, 'migration_failed');
      assert.deepEqual(error.data, { step: '0003_bad' });
      return true;
    });
    const tables = await database.kysely.introspection.getTables();
    assert.deepEqual(
      tables.map((t) => t.name),
      ['things'],
    );
    assert.deepEqual(
      tables[0]?.columns.map((c) => c.name),
      ['id', 'size', 'body'],
    );
    assert.deepEqual(await appliedSteps(database), ['0001_things']);
    assert.equal((await database.kysely.selectFrom('things').selectAll().execute()).length, 1);
    await database.close();
  });

  test('a database that a newer version wrote is refused', async () => {
    const config = await fresh();
    const newer = openDatabase<Schema>(config);
    await migrate(newer, { ...first, '0009_future': async () => {} });
    await newer.close();
    const database = openDatabase<Schema>(config);
    await assert.rejects(migrate(database, first), (e) => e instanceof ServerError && e.code === 'database_newer');
    await database.close();
  });

  test('processes that migrate at the same moment end with one result', async () => {
    const config = await fresh();
    const script = fileURLToPath(new URL('./testing/migrate-once.ts', import.meta.url));
    const run = () => promisify(execFile)(process.execPath, [script, JSON.stringify(config)]);
    const ran = (await Promise.all([run(), run(), run()])).flatMap(({ stdout }) => JSON.parse(stdout));
    assert.deepEqual(ran, ['0001_things']);
  });

  test('a read snapshot does not see what is written meanwhile, and does not hold up the writer', async () => {
    const database = await migrated();
    const reader = openDatabase<Schema>(database.config, { readOnly: true });
    const count = (db: Pick<Database<Schema>['kysely'], 'selectFrom'>) =>
      db
        .selectFrom('things')
        .select((eb) => eb.fn.countAll<number>().as('n'))
        .executeTakeFirstOrThrow();
    await readSnapshot(reader, async (trx) => {
      assert.equal((await count(trx)).n, 0);
      await database.kysely.insertInto('things').values({ id: 'late', size: 1, body: null }).execute();
      assert.equal((await count(trx)).n, 0);
    });
    assert.equal((await count(reader.kysely)).n, 1);
    await reader.close();
    await database.close();
  });
});
