import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import type { TestDevice } from '../testing/device-world.ts';
import { backUp, keyWorld, reads } from '../testing/key-world.ts';

describe('who can open an archive', () => {
  let server: TestServer;
  let users = 0;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  const world = (t: TestContext) => keyWorld(t, server, `ada${users++}`);

  const withPassword = (device: TestDevice, password: string, words: string) =>
    device.run('key', 'set-password', '--password-file', password, '--archive-password-file', words);

  async function levelOf(device: TestDevice) {
    return device.json<{ level: string; fingerprint: string; devices: { name: string }[] }>('key', 'show');
  }

  it('at level account: any device of the user, by the server alone', async (t) => {
    const { enrol, first } = await world(t);
    const { device: second, code } = await enrol('second');
    assert.equal(code, 0);
    assert.equal(await reads(second), 'Dear Bob');
    const { level, devices } = await levelOf(first);
    assert.equal(level, 'account');
    assert.deepEqual(devices.map(({ name }) => name).sort(), ['first', 'second']);
  });

  it('at level archive-password: a new device only with the password, old ones go on by themselves', async (t) => {
    const { enrol, first, password, words } = await world(t);
    const { device: second } = await enrol('second');
    const before = await levelOf(first);
    const raised = await withPassword(first, password, words);
    assert.equal(raised.code, 0, raised.stderr);
    const after = await levelOf(first);
    assert.equal(after.level, 'archive-password');
    assert.notEqual(after.fingerprint, before.fingerprint, 'escrow holds the old identity, so there is a new one');
    first.write('letter.txt', 'Dear Carol');
    await backUp(first);
    assert.equal(await reads(second), 'Dear Carol', 'a device that was there follows');

    const third = await enrol('third');
    assert.equal(third.code, 9, 'the server alone is not enough');
    writeFileSync(join(third.device.shell.cwd, 'wrong'), 'incorrect horse battery');
    const wrong = await enrol('third', '--archive-password-file', 'wrong');
    assert.equal(wrong.code, 9);
    const right = await enrol('third', '--archive-password-file', words);
    assert.equal(right.code, 0, right.stderr);
    assert.equal(await reads(third.device), 'Dear Carol');

    const { archive } = await first.json<{ archive: string }>('key', 'show');
    const store = ['--store', `file://${join(server.config.dataDir, 'store')}`, '--archive', archive];
    const rescued = await first.run('restore', ...store, '--archive-password-file', words, '--to', 'rescued');
    assert.equal(rescued.code, 0, rescued.stderr);
    assert.equal(readFileSync(join(first.shell.cwd, 'rescued', first.path('letter.txt')), 'utf8'), 'Dear Carol');
    const other = await first.run(
      'snapshots',
      '--store',
      'https://example.org/store',
      '--archive-password-file',
      words,
    );
    assert.equal(other.code, 2);
    assert.match(other.stderr, /mount or copy it first/);
  });

  it('at level archive-password: the password can be changed, the level not be lowered', async (t) => {
    const { dir, enrol, first, password, words } = await world(t);
    await withPassword(first, password, words);
    const other = join(dir, 'other words');
    writeFileSync(other, 'another horse, another battery');
    const changed = await first.run('key', 'set-password', '--archive-password-file', other);
    assert.equal(changed.code, 0, changed.stderr);
    assert.equal((await enrol('second', '--archive-password-file', words)).code, 9);
    assert.equal((await enrol('second', '--archive-password-file', other)).code, 0);
    // Whoever changes the password with a stolen credential does not lock its owner out
    assert.equal((await enrol('third', '--archive-password-file', words, '--earlier-password')).code, 0);
    writeFileSync(other, 'short');
    assert.equal((await first.run('key', 'set-password', '--archive-password-file', other)).code, 2);
  });

  it('a removed device gets no new identity when the level is raised', async (t) => {
    const { enrol, first, password, words } = await world(t);
    const { device: lost } = await enrol('lost');
    const { device } = await lost.json<{ device: { id: string } }>('status');
    const client = await server.signIn(await server.addUser(`admin${users++}`, ['sysadmin']));
    await client.call(identityRoutes.revokeDevice, { params: { device: device.id } });
    const wrapsOf = () => readdirSync(join(server.config.dataDir, 'store/archives', archive, 'identities'));
    const { archive } = await first.json<{ archive: string }>('key', 'show');
    const before = wrapsOf();
    const raised = await withPassword(first, password, words);
    assert.equal(raised.code, 0, raised.stderr);
    const added = wrapsOf().filter((name) => !before.includes(name));
    assert.deepEqual(added.map((name) => name.replace(/^[0-9a-f]{32}/, 'device')).sort(), [
      'device-00002.age',
      'passphrase.age',
    ]);
    const shown = await first.json<{ devices: { name: string; removed: number | null }[] }>('key', 'show');
    assert.deepEqual(
      shown.devices.filter(({ removed }) => removed === null).map(({ name }) => name),
      ['first'],
    );
  });

  it('at level custom-key: a new device only with the exported file', async (t) => {
    const { dir, enrol, first, password, words } = await world(t);
    const file = join(dir, 'exported key');
    writeFileSync(`${file}.wrong-password`, 'not the password of the account');
    const refused = await first.run('key', 'export', file, '--password-file', `${file}.wrong-password`);
    assert.equal(refused.code === 0 || existsSync(file), false, 'a file that is no key is not left');
    const exported = await first.run('key', 'export', file, '--password-file', password);
    assert.equal(exported.code, 0, exported.stderr);
    assert.equal((await levelOf(first)).level, 'custom-key');
    await backUp(first);
    assert.equal((await enrol('second')).code, 9);
    assert.equal((await enrol('second', '--archive-password-file', words)).code, 9);
    const second = await enrol('second', '--identity', file);
    assert.equal(second.code, 0, second.stderr);
    assert.equal(await reads(second.device), 'Dear Bob');
    assert.equal((await withPassword(first, password, words)).code, 6);
    assert.equal(
      (await first.run('key', 'export', file, '--copy-only')).code,
      2,
      'a file that is there is not replaced',
    );
  });

  it('needs the password of the account to be raised, and a wrong one changes nothing', async (t) => {
    const { dir, enrol, first, password, words } = await world(t);
    const before = await levelOf(first);
    writeFileSync(join(dir, 'wrong'), 'wrong');
    const refused = await first.run(
      'key',
      'set-password',
      '--password-file',
      join(dir, 'wrong'),
      '--archive-password-file',
      words,
    );
    assert.equal(refused.code, 6);
    assert.deepEqual(await levelOf(first), before);
    assert.equal(await reads(first), 'Dear Bob');
    const second = await enrol('second');
    assert.equal(second.code, 0, second.stderr);
    assert.equal(await reads(second.device), 'Dear Bob');
    const raised = await withPassword(first, password, words);
    assert.equal(raised.code, 0, raised.stderr);
    await backUp(first);
    assert.equal(await reads(second.device), 'Dear Bob', 'also one that came in between follows');
  });

  it('lets a change that was interrupted go on with the same identity', async (t) => {
    const { dir, first, password, words } = await world(t);
    writeFileSync(join(dir, 'wrong'), 'wrong');
    await first.run('key', 'set-password', '--password-file', join(dir, 'wrong'), '--archive-password-file', words);
    const begun = readFileSync(join(first.shell.home, 'state/identity-next.age'));
    const raised = await withPassword(first, password, words);
    assert.equal(raised.code, 0, raised.stderr);
    assert.ok(begun.length > 0 && !existsSync(join(first.shell.home, 'state/identity-next.age')));
    assert.equal((await first.run('check')).code, 0);
    await backUp(first);
    assert.equal(await reads(first), 'Dear Bob');
  });

  it('comes back to a device that lost its key', async (t) => {
    const { dir, first } = await world(t);
    const copy = join(dir, 'copy');
    await first.run('key', 'export', copy, '--copy-only');
    rmSync(join(first.shell.home, 'state/identity.age'));
    assert.equal((await first.run('restore', '--to', 'x')).code, 9);
    assert.equal((await first.run('key', 'recover')).code, 0, 'at level account by the server');
    assert.equal(await reads(first), 'Dear Bob');
    rmSync(join(first.shell.home, 'state/identity.age'));
    assert.equal((await first.run('key', 'recover', '--identity', copy)).code, 0);
    assert.equal(await reads(first), 'Dear Bob');
  });

  it('of before a change opens what was stored before, and is not told as damage of what came later', async (t) => {
    const { dir, first, password, words, snapshot } = await world(t);
    const copy = join(dir, 'copy');
    await first.run('key', 'export', copy, '--copy-only');
    const raised = await withPassword(first, password, words);
    assert.match(raised.stdout, /exported before opens only that/);
    first.write('letter.txt', 'Dear Carol');
    await backUp(first);
    const { archive } = await first.json<{ archive: string }>('key', 'show');
    const store = ['--store', join(server.config.dataDir, 'store'), '--archive', archive, '--identity', copy];
    const listed = await first.run('snapshots', ...store, '--json');
    assert.equal(listed.code, 9, listed.stderr);
    const { damagedFiles, outdatedFor } = JSON.parse(listed.stdout);
    assert.deepEqual([damagedFiles.length, outdatedFor.length], [0, 1]);
    const checked = await first.run('check', ...store, '--json');
    assert.equal(checked.code, 9, checked.stderr);
    const found = JSON.parse(checked.stdout.trim().split('\n').at(-1) ?? '');
    assert.deepEqual([found.problems, found.outdatedFor], [[], outdatedFor]);
    const newest = await first.run('restore', ...store, '--to', 'older');
    assert.equal(newest.code, 9, newest.stderr);
    assert.match(newest.stderr, /newer keys/);
    assert.doesNotMatch(newest.stderr, /Damaged/);
    const chosen = await first.run('restore', ...store, '--to', 'chosen', '--snapshot', snapshot);
    assert.equal(chosen.code, 0, chosen.stderr);
    const later = await first.run('restore', ...store, '--to', 'later', '--snapshot', outdatedFor[0]);
    assert.equal(later.code, 9, later.stderr);
  });

  it('is not opened by the key of somebody else', async (t) => {
    const [ada, bob] = [await world(t), await world(t)];
    const key = join(ada.dir, 'key');
    await ada.first.run('key', 'export', key, '--copy-only');
    rmSync(join(bob.first.shell.home, 'state/identity.age'));
    const foreign = await bob.first.run('key', 'recover', '--identity', key);
    assert.equal(foreign.code, 9, foreign.stderr);
    assert.match(foreign.stderr, /another archive/);
  });

  it('does not change on the word of the server: an identity it made up is refused', async (t) => {
    const { first, user } = await world(t);
    const { kysely } = server.server.foundation.context.database;
    const stranger = await world(t);
    const { fingerprint } = await levelOf(first);
    const row = await kysely
      .selectFrom('archives')
      .selectAll()
      .where('user', '=', await idOf(stranger.user.username))
      .executeTakeFirstOrThrow();
    const values = { recipient: row.recipient, signing_key: row.signing_key };
    await kysely
      .updateTable('archives')
      .set(values)
      .where('user', '=', await idOf(user.username))
      .execute();
    const refused = await first.run('backup', '--set', 'home', '--json');
    assert.equal(refused.code === 0, false);
    assert.match(refused.stdout, /identity_changed/);
    assert.ok(fingerprint !== '');
  });

  async function idOf(username: string): Promise<string> {
    const { kysely } = server.server.foundation.context.database;
    return (await kysely.selectFrom('users').select('id').where('username', '=', username).executeTakeFirstOrThrow())
      .id;
  }
});
