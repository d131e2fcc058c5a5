import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { cuttingProxy } from '../testing/cutting-proxy.ts';
import type { TestDevice } from '../testing/device-world.ts';
import { backUp, identitiesOf, type KeyWorld, keyWorld, reads, storeOf } from '../testing/key-world.ts';
import { leapingTime } from '../testing/leaping-time.ts';
import type { Shell } from '../testing/run-line.ts';

type Shown = {
  archive: string;
  fingerprint: string;
  level: string;
  devices: { name: string; removed: number | null }[];
};
type Status = { renewal: { removed: string[]; byItself: boolean; failure: { code: string } | null } | null };

describe('after a device was removed', () => {
  let server: TestServer;
  let users = 0;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  const shown = (device: TestDevice) => device.json<Shown>('key', 'show');
  const renewal = async (device: TestDevice) => (await device.json<Status>('status')).renewal;

  /** `second` has backed up a letter of its own, `third` reads; the store's bytes are at hand. */
  async function threeDevices(t: TestContext, shell: Partial<Shell> = {}) {
    const world = await keyWorld(t, server, `carol${users++}`, shell);
    const second = (await world.enrol('second')).device;
    second.write('letter.txt', 'From the second');
    await second.json('sets', 'add', 'home', '~');
    await backUp(second);
    const third = (await world.enrol('third')).device;
    third.write('letter.txt', 'From the third');
    await third.json('sets', 'add', 'home', '~');
    const { archive } = await shown(world.first);
    return { ...world, second, third, store: storeOf(server.config.dataDir, archive) };
  }

  async function revoke(device: TestDevice): Promise<void> {
    const status = await device.json<{ device: { id: string } }>('status');
    const admin = await server.signIn(await server.addUser(`admin${users++}`, ['sysadmin']));
    await admin.call(identityRoutes.revokeDevice, { params: { device: status.device.id } });
  }

  type Store = ReturnType<typeof storeOf>;

  /** With the bytes of the store a removed device's keys open what was stored before, and nothing of what was stored after. */
  async function requireOnly(device: TestDevice, { identities, flags }: Store, before: string, after: string) {
    const files = await identitiesOf(device, identities);
    assert.ok(files.length > 0);
    for (const file of files) {
      const read = (id: string) => reads(device, 'first', ...flags, '--identity', file, '--snapshot', id);
      assert.equal(await read(before), 'Dear Bob');
      assert.equal(await read(after), 'exit 9');
    }
  }

  it('at level account: the next backup renews the keys by itself, and the others follow', async (t) => {
    const { dir, enrol, first, second, third, store, snapshot } = await threeDevices(t);
    const old = join(dir, 'exported before');
    await first.json('key', 'export', old, '--copy-only');
    await revoke(second);
    first.write('letter.txt', 'Dear Carol');
    const { stdout } = await first.run('backup', '--set', 'home', '--json');
    const { snapshotId } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { snapshotId: string };
    assert.match(stdout, /the keys were renewed, since second was removed; what was stored before stays readable/);
    assert.equal(await renewal(first), null);

    await requireOnly(second, store, snapshot, snapshotId);
    await backUp(third);
    assert.equal(await reads(third), 'Dear Carol');
    assert.equal(await reads(first, 'third'), 'From the third');
    assert.equal(await reads(first, 'second'), 'From the second', 'its snapshots stay');
    const { devices } = await shown(third);
    const active = devices.filter(({ removed }) => removed === null).map(({ name }) => name);
    assert.deepEqual(active.sort(), ['first', 'third']);
    assert.equal(await reads((await enrol('fourth')).device), 'Dear Carol');

    const current = join(dir, 'exported after');
    await first.json('key', 'export', current, '--copy-only');
    assert.equal(await reads(first, 'first', ...store.flags, '--identity', old, '--snapshot', snapshot), 'Dear Bob');
    assert.equal(await reads(first, 'first', ...store.flags, '--identity', current), 'Dear Carol');
    assert.equal(await reads(first, 'second', ...store.flags, '--identity', current), 'From the second');
  });

  it('nothing is renewed a second time, nor when nobody was removed', async (t) => {
    const { first, second, third } = await threeDevices(t);
    const before = await shown(first);
    await backUp(first);
    assert.equal((await shown(first)).fingerprint, before.fingerprint);
    await revoke(second);
    await backUp(first);
    const after = await shown(first);
    assert.notEqual(after.fingerprint, before.fingerprint);
    await backUp(third);
    await backUp(first);
    assert.equal((await shown(third)).fingerprint, after.fingerprint);
  });

  it('at level account: two devices that renew at the same moment end with the same keys', async (t) => {
    const { first, second, third } = await threeDevices(t);
    await revoke(second);
    first.write('letter.txt', 'Dear Carol');
    await Promise.all([backUp(first), backUp(third)]);
    await Promise.all([backUp(first), backUp(third)]);
    assert.equal((await shown(third)).fingerprint, (await shown(first)).fingerprint);
    assert.equal(await reads(third), 'Dear Carol');
    assert.equal(await reads(first, 'third'), 'From the third');
    assert.deepEqual([await renewal(first), await renewal(third)], [null, null]);
    assert.equal(existsSync(join(third.shell.home, 'state/identity-next.age')), false);
  });

  it('at level account: no backup fails when the keys cannot be renewed, status says so, and the next one does', async (t) => {
    const { first, second } = await threeDevices(t, { time: leapingTime() });
    await revoke(second);
    const setState = await stateOf(first);
    await setState('preparing');
    first.write('letter.txt', 'Dear Carol');
    const ran = await first.run('backup', '--set', 'home');
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /second. Renewing them failed/);
    assert.equal((await renewal(first))?.failure?.code, 'archive_not_ready');
    assert.match((await first.run('status')).stdout, /second. Renewing them failed .*; the next backup tries again/);
    await setState('ready');
    await backUp(first);
    assert.equal(await renewal(first), null);
  });

  it('at level archive-password: status and backup ask for key renew, which keeps the password', async (t) => {
    const { dir, words, password, enrol, first, second, third, store, snapshot } = await threeDevices(t);
    const secrets = ['--password-file', password, '--archive-password-file', words];
    assert.equal((await first.run('key', 'set-password', ...secrets)).code, 0);
    await backUp(second);
    await revoke(second);
    const asks = /second. Run `holdfast key renew`/;
    assert.match((await first.run('backup', '--set', 'home')).stdout, asks);
    assert.match((await first.run('status')).stdout, asks);
    assert.deepEqual(await renewal(first), { removed: ['second'], byItself: false, failure: null });

    const before = await shown(first);
    const typo = join(dir, 'typo');
    writeFileSync(typo, 'correct horse battery stable');
    const wrong = await first.run('key', 'renew', '--password-file', password, '--archive-password-file', typo);
    assert.equal(wrong.code, 9, wrong.stderr);
    assert.equal((await first.run('key', 'renew', '--password-file', typo, '--archive-password-file', words)).code, 6);
    assert.equal((await shown(first)).fingerprint, before.fingerprint);

    const renewed = await first.run('key', 'renew', ...secrets);
    assert.equal(renewed.code, 0, renewed.stderr);
    assert.match(renewed.stdout, /What was stored before stays readable to whoever kept old keys/);
    assert.equal(await renewal(first), null);
    first.write('letter.txt', 'Dear Carol');
    await requireOnly(second, store, snapshot, (await backUp(first)).snapshotId);
    await backUp(third);
    assert.equal(await reads(third), 'Dear Carol');
    assert.equal((await enrol('fourth')).code, 9, 'escrow gets nothing of it');
    assert.equal(await reads((await enrol('fifth', '--archive-password-file', words)).device), 'Dear Carol');
    assert.equal(await reads(first, 'first', ...store.flags, '--archive-password-file', words), 'Dear Carol');
  });

  it('at level custom-key: key renew writes the new key to a file', async (t) => {
    const { dir, password, enrol, first, second, third, store, snapshot } = await threeDevices(t);
    const [old, current] = [join(dir, 'old key'), join(dir, 'new key')];
    assert.equal((await first.run('key', 'export', old, '--password-file', password)).code, 0);
    await backUp(second);
    await revoke(second);
    assert.match((await first.run('backup', '--set', 'home')).stdout, /Run `holdfast key renew`/);
    assert.equal((await first.run('key', 'renew', '--password-file', password)).code, 2);
    assert.equal((await first.run('key', 'renew', old, '--password-file', password)).code, 2, 'no file is replaced');
    const renewed = await first.run('key', 'renew', current, '--password-file', password);
    assert.equal(renewed.code, 0, renewed.stderr);
    first.write('letter.txt', 'Dear Carol');
    await requireOnly(second, store, snapshot, (await backUp(first)).snapshotId);
    await backUp(third);
    assert.equal(await reads(third), 'Dear Carol');
    assert.equal((await enrol('fourth', '--identity', old)).code, 9);
    assert.equal(await reads((await enrol('fifth', '--identity', current)).device), 'Dear Carol');
    assert.equal(await reads(first, 'first', ...store.flags, '--identity', current), 'Dear Carol');
    assert.equal(await reads(first, 'first', ...store.flags, '--identity', old, '--snapshot', snapshot), 'Dear Bob');
  });

  it('a server that claims level account of a raised archive is not handed the new keys', async (t) => {
    const { words, password, first, second, store } = await threeDevices(t);
    await first.run('key', 'set-password', '--password-file', password, '--archive-password-file', words);
    await backUp(second);
    await revoke(second);
    const before = await shown(first);
    await claimLevel(before.archive, 'account');
    const ran = await first.run('backup', '--set', 'home');
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal((await renewal(first))?.failure?.code, 'key_level_fixed');
    assert.equal((await shown(first)).fingerprint, before.fingerprint);
    const { escrow } = server.server.foundation.keystore;
    const opened = await identitiesOf(second, store.identities, escrow.identity);
    assert.deepEqual(opened, [], 'nothing is wrapped to escrow');
  });

  it('a device that was killed while it took the new identity over can renew it again', async (t) => {
    const { first, second, third } = await threeDevices(t, { time: leapingTime() });
    const file = (name: string) => join(first.shell.home, 'state', name);
    const before = readFileSync(file('identity.age'));
    await revoke(second);
    await backUp(first);
    // As it is between the pin and the file: the pin names the identity that lies in the other slot
    writeFileSync(file('identity-next.age'), readFileSync(file('identity.age')));
    writeFileSync(file('identity.age'), before);
    await revoke(third);
    first.write('letter.txt', 'Dear Carol');
    const setState = await stateOf(first);
    await setState('preparing');
    await backUp(first);
    await setState('ready');
    await backUp(first);
    assert.equal(await renewal(first), null);
    assert.equal(await reads(first), 'Dear Carol');
    assert.equal(existsSync(file('identity-next.age')), false);
  });

  /** Sets how far the authority takes an archive to be: while it prepares, no renewal is taken. */
  async function stateOf(device: TestDevice) {
    const { kysely } = server.server.foundation.context.database;
    const { archive } = await shown(device);
    return (state: 'preparing' | 'ready') =>
      kysely.updateTable('archives').set({ state }).where('id', '=', archive).execute();
  }

  async function claimLevel(archive: string, level: 'account'): Promise<void> {
    const { kysely } = server.server.foundation.context.database;
    const { user } = await kysely
      .selectFrom('archives')
      .select('user')
      .where('id', '=', archive)
      .executeTakeFirstOrThrow();
    await kysely.updateTable('users').set({ key_level: level }).where('id', '=', user).execute();
  }

  it('a renewal that breaks off anywhere goes on with the next backup', async (t) => {
    const proxy = await cuttingProxy(server.server.httpsPort);
    t.after(() => proxy.close());
    const through = {
      addUser: (name: string) => server.addUser(name),
      server: {
        enrolmentString: async () =>
          (await server.server.enrolmentString()).replace(`:${server.server.httpsPort}:`, `:${proxy.port}:`),
      },
    };
    const world: KeyWorld = await keyWorld(t, through, `carol${users++}`, { time: leapingTime() });
    const third = (await world.enrol('third')).device;
    let broken = 0;
    for (let pieces = 2; ; pieces += 7) {
      const lost = (await world.enrol(`lost ${pieces}`)).device;
      await revoke(lost);
      const { first } = world;
      first.write('letter.txt', `Letter ${pieces}`);
      proxy.cutAfter(pieces);
      const cut = await first.run('backup', '--set', 'home');
      const isWhole = cut.code === 0 && proxy.pieces <= pieces;
      proxy.mend();
      const { snapshotId } = await backUp(first);
      const { archive, devices } = await shown(first);
      assert.ok(devices.find(({ name }) => name === `lost ${pieces}`)?.removed, `cut after ${pieces} pieces`);
      assert.equal(await renewal(first), null);
      assert.equal(await reads(third), `Letter ${pieces}`);
      await requireOnly(lost, storeOf(server.config.dataDir, archive), world.snapshot, snapshotId);
      if (isWhole) break;
      broken++;
    }
    assert.ok(broken >= 4, `broke off in ${broken} places`);
  });
});
