import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { generateIdentity } from '@holdfast/archive/keys/identity.ts';
import { wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { type TestDevice, testDevice } from '../testing/device-world.ts';
import { temporary } from '../testing/temporary.ts';
import { wrapName } from './stored-keys.ts';

const newIdentity = () => generateIdentity((target) => target.set(randomBytes(target.length)));

describe('a device that gets the key from another one', () => {
  let server: TestServer;
  let users = 0;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  type Level = 'account' | 'archive-password' | 'custom-key';

  /** A user with one device that has made a backup, and another one that has no key. */
  async function world(t: TestContext, level: Level = 'custom-key') {
    const dir = temporary(t);
    const user = await server.addUser(`ada${users++}`);
    const password = join(dir, 'password');
    writeFileSync(password, user.password);
    const string = await server.server.enrolmentString();
    const enrol = async (name: string) => {
      const device = testDevice(dir, name);
      const as = ['--user', user.username, '--password-file', password, '--name', name];
      return { device, ...(await device.run('enrol', string, ...as)) };
    };
    const { device: old } = await enrol('old');
    old.write('letter.txt', 'Dear Bob');
    await old.json('sets', 'add', 'home', '~');
    await old.json('backup', '--set', 'home');
    if (level === 'custom-key') await old.json('key', 'export', 'only.key', '--password-file', password);
    if (level === 'archive-password') {
      writeFileSync(join(dir, 'words'), 'correct horse battery staple');
      const with_ = ['--password-file', password, '--archive-password-file', join(dir, 'words')];
      await old.json('key', 'set-password', ...with_);
    }
    return { dir, user, enrol, old, young: await enrol('young') };
  }

  /** The words that a device shows where nobody can answer. */
  async function wordsOf(device: TestDevice): Promise<string> {
    const { code, stdout } = await device.run('key', 'request', '--json');
    assert.equal(code, EXIT.keyNeeded, stdout);
    return JSON.parse(lastLine(stdout)).error.data.words;
  }
  async function waiting(device: TestDevice): Promise<{ name: string; words: string }[]> {
    const { stdout } = await device.run('key', 'add-device', '--json');
    return JSON.parse(lastLine(stdout)).error.data?.devices ?? [];
  }
  const give = (device: TestDevice, words: string) => device.run('key', 'add-device', '--words', words);
  const take = (device: TestDevice, words: string) => device.run('key', 'request', '--words', words);

  /** What a server that lies can do: it owns its database. */
  const database = () => server.server.foundation.context.database.kysely;
  const idOf = async (name: string, username: string): Promise<string> => {
    const { id } = await database()
      .selectFrom('devices')
      .innerJoin('users', 'users.id', 'devices.user')
      .select('devices.id')
      .where('devices.name', '=', name)
      .where('users.username', '=', username)
      .executeTakeFirstOrThrow();
    return id;
  };
  const wrapsOf = async (user: string) => {
    const { id } = await database()
      .selectFrom('archives')
      .select('id')
      .where('user', '=', user)
      .executeTakeFirstOrThrow();
    const folder = join(server.config.dataDir, 'store/archives', id, 'identities');
    return { folder, names: readdirSync(folder).sort() };
  };
  /** `act` must not have brought a key to anybody. */
  async function givesNothing(user: string, act: () => Promise<{ code: number; stderr: string }>, code: number) {
    const before = (await wrapsOf(user)).names;
    const ran = await act();
    assert.equal(ran.code, code, ran.stderr);
    assert.deepEqual((await wrapsOf(user)).names, before);
  }

  it('is enrolled without it, and is told how to get it', async (t) => {
    const { young } = await world(t);
    assert.equal(young.code, EXIT.keyNeeded);
    assert.match(young.stderr, /holdfast key request.*holdfast key add-device/);
    for (const command of ['backup', 'status']) {
      const { stdout, stderr, code } = await young.device.run(command);
      assert.equal(code, EXIT.notEnrolled);
      assert.match(stdout + stderr, /holdfast key request/);
    }
    const asked = await young.device.run('key', 'request');
    assert.match(asked.stderr, /holdfast key add-device/);
    assert.doesNotMatch(asked.stderr, /Waiting/, 'it does not wait where nobody can answer');
  });

  for (const level of ['account', 'archive-password', 'custom-key'] as const) {
    it(`at level ${level}: after both show the same words`, async (t) => {
      const { old, young } = await world(t, level);
      const { device } = young;
      if (level === 'account') rmSync(join(device.shell.home, 'state/identity.age'));
      const words = await wordsOf(device);
      assert.equal(await wordsOf(device), words, 'asking again shows the same');
      const [asking, ...more] = await waiting(old);
      assert.deepEqual([asking?.name, asking?.words, more], ['young', words, []]);
      const given = await give(old, words);
      assert.equal(given.code, EXIT.ok, given.stderr);
      const taken = await take(device, asking?.words ?? '');
      assert.equal(taken.code, EXIT.ok, taken.stderr);
      const to = temporary(t);
      const restored = await device.run('restore', '--device', 'old', '--set', 'home', '--to', to);
      assert.equal(restored.code, EXIT.ok, restored.stderr);
      await device.json('sets', 'add', 'home', '~');
      await device.json('backup', '--set', 'home');
      const { devices } = await old.json<{ devices: { name: string }[] }>('key', 'show');
      assert.deepEqual(devices.map(({ name }) => name).sort(), ['old', 'young']);
      assert.deepEqual(await waiting(old), []);
      assert.equal((await device.run('key', 'request')).code, EXIT.ok, 'it has the key');
    });
  }

  it('is asked on both terminals; the one that waits may be stopped and goes on', async (t) => {
    const { old, young } = await world(t);
    const { device } = young;
    const shown = /^ {4}( ?\d+ \w+ *){4}$/m;
    const stop = { when: /Waiting/, signal: 'SIGINT' } as const;
    const stopped = await device.runWith({ terminal: true, stop }, 'key', 'request');
    assert.equal(stopped.code, EXIT.interrupted);
    assert.match(stopped.stderr, shown);
    assert.equal((await old.runWith({ terminal: true, input: 'no\n' }, 'key', 'add-device')).code, EXIT.refused);
    const given = await old.runWith({ terminal: true, input: 'yes\n' }, 'key', 'add-device', 'young');
    assert.equal(given.code, EXIT.ok, given.stderr);
    const rows = (text: string) => text.match(/^ {4} ?\d+ \w+.*$/gm);
    assert.deepEqual(rows(given.stderr), rows(stopped.stderr));
    const taken = await device.runWith({ terminal: true, input: 'yes\n' }, 'key', 'request');
    assert.equal(taken.code, EXIT.ok, taken.stderr);
    assert.equal((await device.run('key', 'show')).code, EXIT.ok);
  });

  it('accepts nothing when its user says that the words differ', async (t) => {
    const { old, young } = await world(t);
    await give(old, await wordsOf(young.device));
    const taken = await young.device.runWith({ terminal: true, input: 'no\n' }, 'key', 'request');
    assert.equal(taken.code, EXIT.refused);
    assert.equal((await young.device.run('key', 'show')).code, EXIT.notEnrolled);
  });

  it('gets nothing when its words are mistyped, and when nobody asks', async (t) => {
    const { user, old, young } = await world(t);
    await givesNothing(user.id, () => old.run('key', 'add-device'), EXIT.failed);
    const words = await wordsOf(young.device);
    await givesNothing(user.id, () => give(old, words.split(' ').slice(1).join(' ')), EXIT.usage);
    await givesNothing(user.id, () => old.run('key', 'add-device'), EXIT.keyNeeded);
    await givesNothing(user.id, () => old.run('key', 'add-device', 'other', '--words', words), EXIT.failed);
  });

  describe('against a server that lies', () => {
    it('no key goes to a device whose keys the server has exchanged', async (t) => {
      const { user, old, young } = await world(t);
      const words = await wordsOf(young.device);
      const own = await newIdentity();
      const keys = { recipient: own.recipient, public_key: toHex(own.signing.publicKey) };
      for (const changes of [keys, { recipient: keys.recipient }, { public_key: keys.public_key }]) {
        const device = await idOf('young', user.username);
        const before = await database()
          .selectFrom('devices')
          .selectAll()
          .where('id', '=', device)
          .executeTakeFirstOrThrow();
        await database().updateTable('devices').set(changes).where('id', '=', device).execute();
        assert.notEqual((await waiting(old))[0]?.words, words);
        await givesNothing(user.id, () => give(old, words), EXIT.refused);
        const { recipient, public_key } = before;
        await database().updateTable('devices').set({ recipient, public_key }).where('id', '=', device).execute();
      }
    });

    it('no identity is accepted that the server has exchanged, though it wraps it to the device', async (t) => {
      const { user, old, young } = await world(t);
      const own = await newIdentity();
      const real = await exchangeIdentity(user.id, {
        recipient: own.recipient,
        signing_key: toHex(own.signing.publicKey),
      });
      const fooled = await wordsOf(young.device);
      await exchangeIdentity(user.id, real);
      await givesNothing(user.id, () => give(old, fooled), EXIT.refused);
      // It hides the exchange from the old device, and answers the new one itself
      await database()
        .updateTable('key_requests')
        .set(real)
        .where('device', '=', await idOf('young', user.username))
        .execute();
      const [asking] = await waiting(old);
      assert.notEqual(asking?.words, fooled);
      await givesNothing(user.id, () => give(old, fooled), EXIT.refused);
      const device = await idOf('young', user.username);
      const { recipient } = await database()
        .selectFrom('devices')
        .select('recipient')
        .where('id', '=', device)
        .executeTakeFirstOrThrow();
      const { folder } = await wrapsOf(user.id);
      writeFileSync(join(folder, wrapName(recipient)), await wrapIdentity(own, { recipient }));
      await exchangeIdentity(user.id, { recipient: own.recipient, signing_key: toHex(own.signing.publicKey) });
      const taken = await take(young.device, asking?.words ?? '');
      assert.equal(taken.code, EXIT.refused, taken.stderr);
      assert.equal((await young.device.run('key', 'show')).code, EXIT.notEnrolled);
    });

    it('the identity whose words were shown is the only one accepted, whatever else is wrapped', async (t) => {
      const { user, old, young } = await world(t);
      const words = await wordsOf(young.device);
      const own = await newIdentity();
      const device = await idOf('young', user.username);
      const { recipient } = await database()
        .selectFrom('devices')
        .select('recipient')
        .where('id', '=', device)
        .executeTakeFirstOrThrow();
      const { folder } = await wrapsOf(user.id);
      writeFileSync(join(folder, wrapName(recipient)), await wrapIdentity(own, { recipient }));
      const ended: Promise<unknown>[] = [];
      const onNote = (text: string) => {
        if (/Waiting/.test(text))
          ended.push(database().deleteFrom('key_requests').where('device', '=', device).execute());
      };
      const taken = await young.device.runWith({ onNote }, 'key', 'request', '--words', words);
      assert.equal(taken.code, EXIT.keyNeeded, taken.stderr);
      await Promise.all(ended);
      assert.equal((await young.device.run('key', 'show')).code, EXIT.notEnrolled);
      const next = await wordsOf(young.device);
      assert.equal((await give(old, next)).code, EXIT.ok);
      assert.equal((await take(young.device, next)).code, EXIT.ok);
    });

    it('both exchanged at once show different words on the two', async (t) => {
      const { user, old, young } = await world(t);
      const own = await newIdentity();
      const theirs = { recipient: own.recipient, signing_key: toHex(own.signing.publicKey) };
      const real = await exchangeIdentity(user.id, theirs);
      const fooled = await wordsOf(young.device);
      await exchangeIdentity(user.id, real);
      const device = await idOf('young', user.username);
      await database().updateTable('key_requests').set(real).where('device', '=', device).execute();
      const keys = { recipient: own.recipient, public_key: toHex(own.signing.publicKey) };
      await database().updateTable('devices').set(keys).where('id', '=', device).execute();
      const [asking] = await waiting(old);
      assert.ok(asking && asking.words !== fooled);
      await givesNothing(user.id, () => give(old, fooled), EXIT.refused);
      await exchangeIdentity(user.id, theirs);
      assert.equal((await take(young.device, asking.words)).code, EXIT.refused);
    });

    it('an old request that is played again does not show the words of the new one', async (t) => {
      const { user, old, young } = await world(t);
      const first = await wordsOf(young.device);
      const device = await idOf('young', user.username);
      const kept = await database()
        .selectFrom('key_requests')
        .selectAll()
        .where('device', '=', device)
        .executeTakeFirstOrThrow();
      assert.equal((await give(old, first)).code, EXIT.ok);
      // What ended is not gone on with
      await take(young.device, 'zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong');
      const second = await wordsOf(young.device);
      assert.notEqual(second, first);
      await database().updateTable('key_requests').set({ nonce: kept.nonce }).where('device', '=', device).execute();
      await givesNothing(user.id, () => give(old, second), EXIT.refused);
    });

    it('a device that was removed gets no key, though the server takes it back', async (t) => {
      const { user, old, young } = await world(t, 'account');
      const lost = await idOf('young', user.username);
      const admin = await server.signIn(await server.addUser(`admin${users++}`, ['sysadmin']));
      await admin.call(identityRoutes.revokeDevice, { params: { device: lost } });
      assert.equal((await young.device.run('key', 'request')).code, EXIT.refused, 'it may not even ask');
      await old.json('key', 'export', 'only.key', '--password-file', join(old.userHome, '../password'));
      await database().updateTable('devices').set({ removed: null }).where('id', '=', lost).execute();
      const words = await wordsOf(young.device);
      await givesNothing(user.id, () => give(old, words), EXIT.refused);
      assert.match((await give(old, words)).stderr, /was removed/);
    });

    it("another user's device that it puts among one's own does not show the words of one's own", async (t) => {
      const [mine, theirs] = [await world(t), await world(t)];
      const words = await wordsOf(mine.young.device);
      await wordsOf(theirs.young.device);
      const foreign = await idOf('young', theirs.user.username);
      await database().updateTable('devices').set({ user: mine.user.id }).where('id', '=', foreign).execute();
      await database()
        .deleteFrom('key_requests')
        .where('device', '=', await idOf2(mine.user.id, foreign))
        .execute();
      const real = await database()
        .selectFrom('archives')
        .selectAll()
        .where('user', '=', mine.user.id)
        .executeTakeFirstOrThrow();
      const { recipient, signing_key } = real;
      await database()
        .updateTable('key_requests')
        .set({ recipient, signing_key })
        .where('device', '=', foreign)
        .execute();
      assert.equal((await waiting(mine.old)).length, 1);
      await givesNothing(mine.user.id, () => give(mine.old, words), EXIT.refused);
    });
  });

  /** The young device of a user that is not `but`. */
  const idOf2 = async (user: string, but: string): Promise<string> => {
    const found = database().selectFrom('devices').select('id').where('user', '=', user).where('name', '=', 'young');
    return (await found.where('id', '!=', but).executeTakeFirstOrThrow()).id;
  };

  type Told = { readonly recipient: string; readonly signing_key: string };
  /** What the server names as the user's identity from now on; answers what it was. */
  async function exchangeIdentity(user: string, told: Told): Promise<Told> {
    const before = database().selectFrom('archives').select(['recipient', 'signing_key']).where('user', '=', user);
    const real = await before.executeTakeFirstOrThrow();
    await database().updateTable('archives').set(told).where('user', '=', user).execute();
    return real;
  }
});

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
