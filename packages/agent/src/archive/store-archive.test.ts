import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { EXIT } from '../cli/exit-codes.ts';
import { enrolledDevice, type TestDevice } from '../testing/device-world.ts';
import { temporary } from '../testing/temporary.ts';

const WORDS = 'correct horse battery staple';

/** Every way in which a file of a store may be harmed; each takes the file's path. */
const HARMS = {
  'a flipped byte': (path: string) => {
    const bytes = readFileSync(path);
    const at = bytes.length - 20;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  },
  'a cut': (path: string) => truncateSync(path, 40),
  'an empty file': (path: string) => truncateSync(path, 0),
  'a folder in its place': (path: string) => {
    rmSync(path);
    mkdirSync(path);
  },
  'no file': (path: string) => rmSync(path),
} as const;

describe('a damaged store', () => {
  let server: TestServer;
  /** Two snapshots, at key level archive-password: two generations of keys, two identities. */
  let device: TestDevice;
  let archive: string;
  let other: TestDevice;
  let dir: string;
  before(async () => {
    server = await startTestServer();
    dir = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
    mkdirSync(join(dir, 'other'));
    [device, other] = [await enrolledDevice(join(dir), server), await enrolledDevice(join(dir, 'other'), server)];
    await other.json('key', 'export', 'key', '--copy-only');
    await device.json('backup', '--set', 'home');
    writeFileSync(join(dir, 'words'), WORDS);
    await device.json(
      'key',
      'set-password',
      '--password-file',
      join(dir, 'password'),
      '--archive-password-file',
      join(dir, 'words'),
    );
    device.write('letter.txt', 'Dear Carol');
    await device.json('backup', '--set', 'home');
    await device.json('key', 'export', 'key', '--copy-only');
    ({ archive } = await device.json<{ archive: string }>('key', 'show'));
  });
  after(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });

  /** A copy of the store that the server wrote, and a look into it with the key of `of`. */
  function copy(t: TestContext, of = device) {
    const store = join(temporary(t), 'store');
    cpSync(join(server.config.dataDir, 'store'), store, { recursive: true });
    const folder = (name: string) => join(store, 'archives', archive, name);
    const files = (name: string) =>
      readdirSync(folder(name), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort();
    const with_ =
      (key: string[]) =>
      (command: string, ...more: string[]) =>
        of.run(command, '--store', store, ...key, ...more);
    return {
      store,
      files,
      run: with_(['--identity', 'key']),
      byPassword: with_(['--archive-password-file', join(of.userHome, '../words')]),
      /** As messages name it. */
      nameOf: (path: string) => path.slice(store.length + 1),
    };
  }

  /** The key files for the identity in force, one per generation. */
  function ownKeyFiles({ files }: ReturnType<typeof copy>): [string, string] {
    const all = files('keys');
    const second = all.find((path) => /00002-/.test(path))!;
    const hash = second.slice(second.lastIndexOf('-'));
    return [all.find((path) => path.endsWith(`00001${hash}`))!, second];
  }

  /** The snapshots, oldest first. */
  async function snapshotFiles(found: ReturnType<typeof copy>): Promise<[string, string]> {
    const { stdout } = await found.run('snapshots', '--json');
    const { snapshots } = JSON.parse(stdout) as { snapshots: { id: string }[] };
    assert.equal(snapshots.length, 2, stdout);
    return snapshots.map(({ id }) => join(found.store, 'archives', archive, 'snapshots', id)) as [string, string];
  }

  it('opens whole: the key of its user, the password of its user, and no other key', async (t) => {
    const mine = copy(t);
    for (const run of [mine.run, mine.byPassword]) {
      const { code, stderr, stdout } = await run('check', '--read-data');
      assert.equal(code, EXIT.ok, stderr);
      assert.match(stdout, /Everything is there/);
    }
    const foreign = await copy(t, other).run('snapshots', '--archive', archive);
    assert.deepEqual([foreign.code, /another archive/.test(foreign.stderr)], [EXIT.keyNeeded, true]);
  });

  for (const [harm, apply] of Object.entries(HARMS)) {
    it(`${harm} for the only key file that opens: damage, by its name`, async (t) => {
      const found = copy(t);
      const [first, second] = ownKeyFiles(found);
      rmSync(first);
      apply(second);
      const { code, stderr } = await found.run('snapshots');
      assert.equal(code, EXIT.damaged, stderr);
      assert.match(
        stderr,
        harm === 'no file' || harm === 'a folder in its place' ? /\/keys\/ holds no key file/ : /00002-/,
      );
      assert.doesNotMatch(stderr, /another archive|\n\s+at /);
      assert.equal((await copy(t, other).run('snapshots', '--archive', archive)).code, EXIT.keyNeeded);
    });

    it(`${harm} for the key file of one generation: told, and what is whole is restored`, async (t) => {
      const found = copy(t);
      const [first] = ownKeyFiles(found);
      apply(first);
      const name = found.nameOf(first);
      for (const command of ['snapshots', 'check']) {
        const { code, stderr, stdout } = await found.run(command);
        assert.equal(code, EXIT.damaged, stderr);
        assert.ok(stderr.includes(name), stderr);
        assert.doesNotMatch(stdout, /Everything is there/);
      }
      const to = temporary(t);
      const restored = await found.run('restore', '--set', 'home', '--to', to, '--json');
      assert.equal(JSON.parse(lastLine(restored.stdout)).damagedFiles[0].file, name);
      assert.deepEqual([restored.code, letterIn(to)], [EXIT.ok, 'Dear Carol']);
    });

    it(`${harm} for the newest snapshot: named, never passed over in silence`, async (t) => {
      const found = copy(t);
      const [older, newest] = await snapshotFiles(found);
      apply(newest);
      const name = found.nameOf(newest);
      const listed = await found.run('snapshots');
      assert.equal(listed.code, EXIT.damaged);
      assert.ok(listed.stderr.includes(name), listed.stderr);
      const document = JSON.parse((await found.run('snapshots', '--json')).stdout);
      assert.equal(document.damagedFiles[0].file, name);
      const to = temporary(t);
      const latest = await found.run('restore', '--set', 'home', '--to', to);
      assert.equal(latest.code, EXIT.damaged);
      assert.ok(latest.stderr.includes(name), latest.stderr);
      assert.equal(letterIn(to), 'Dear Bob');
      const chosen = await found.run('restore', '--snapshot', older.slice(-64), '--to', temporary(t));
      assert.equal(chosen.code, EXIT.ok, chosen.stderr);
      const asked = await found.run('restore', '--snapshot', newest.slice(-64), '--to', temporary(t));
      assert.equal(asked.code, EXIT.damaged);
      assert.ok(asked.stderr.includes(name), asked.stderr);
      for (const line of [['ls'], ['find', '*']])
        assert.equal((await found.run(...(line as [string]))).code, EXIT.damaged);
    });
  }

  it("another's key file under its name: damage, and nothing of the other's is used", async (t) => {
    const found = copy(t);
    const all = join(found.store, 'archives');
    const others = readdirSync(all).find((id) => id !== archive)!;
    const [first, second] = ownKeyFiles(found);
    const foreign = join(all, others, 'keys');
    for (const path of [first, second]) cpSync(join(foreign, readdirSync(foreign)[0]!), path);
    const { code, stderr } = await found.run('snapshots');
    assert.equal(code, EXIT.damaged, stderr);
    assert.ok(stderr.includes(found.nameOf(first)) && stderr.includes(found.nameOf(second)), stderr);
  });

  it('a wrap for the password that is damaged: told so, not that the password is wrong', async (t) => {
    const found = copy(t);
    const [wrap] = found.files('identities').filter((path) => path.endsWith('passphrase.age'));
    HARMS['a flipped byte'](wrap!);
    const { code, stderr } = await found.byPassword('snapshots');
    assert.equal(code, EXIT.damaged, stderr);
    assert.ok(stderr.includes(found.nameOf(wrap!)), stderr);
    assert.equal((await found.run('snapshots')).code, EXIT.ok, 'the exported key needs no wrap');
  });

  it('a device list that is damaged: named, and no snapshot passes unverified', async (t) => {
    const found = copy(t);
    const lists = found.files('devices');
    HARMS['a cut'](lists.at(-1)!);
    const { code, stderr } = await found.run('snapshots');
    assert.equal(code, EXIT.damaged, stderr);
    assert.ok(stderr.includes(`devices/${lists.at(-1)!.slice(-10)}`), stderr);
  });

  it('no snapshot that is whole: the damage is the reason, not that nothing was backed up', async (t) => {
    const found = copy(t);
    const paths = await snapshotFiles(found);
    for (const path of paths) HARMS['a flipped byte'](path);
    const { code, stdout } = await found.run('restore', '--set', 'home', '--to', temporary(t), '--json');
    const { error } = JSON.parse(lastLine(stdout));
    assert.deepEqual([code, error.code], [EXIT.damaged, 'snapshot_damaged']);
    const named = error.data.damagedFiles.map(({ file }: { file: string }) => file);
    assert.deepEqual(named.sort(), paths.map(found.nameOf).sort());
  });

  it('is told by the server path as by the folder', async (t) => {
    const [, newest] = await snapshotFiles(copy(t));
    const id = newest.slice(-64);
    const path = join(server.config.dataDir, 'store/archives', archive, 'snapshots', id);
    const whole = readFileSync(path);
    t.after(() => writeFileSync(path, whole));
    HARMS['a flipped byte'](path);
    const listed = await device.run('snapshots');
    assert.equal(listed.code, EXIT.damaged);
    assert.ok(listed.stderr.includes(`snapshots/${id}`), listed.stderr);
    const to = temporary(t);
    const restored = await device.run('restore', '--set', 'home', '--to', to);
    assert.deepEqual([restored.code, letterIn(to)], [EXIT.damaged, 'Dear Bob']);
    assert.ok(restored.stderr.includes(id), restored.stderr);
    rmSync(path);
    assert.equal((await device.run('snapshots')).code, EXIT.damaged);
  });
});

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

function letterIn(folder: string): string {
  const letters = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('letter.txt'));
  return letters.map((name) => readFileSync(join(folder, name), 'utf8')).join();
}
