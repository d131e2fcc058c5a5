import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { CODES as ARCHIVE_CODES } from '@holdfast/archive/errors.ts';
import { CODES as PROTOCOL_CODES } from '@holdfast/protocol/errors.ts';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { CODES as AGENT_CODES } from '../errors.ts';
import { tryLock } from '../state/lock.ts';
import { enrolledDevice, type TestDevice, testDevice } from '../testing/device-world.ts';
import { leapingTime } from '../testing/leaping-time.ts';
import { temporary } from '../testing/temporary.ts';
import { EXIT, EXIT_MEANINGS, type ExitName, namedCodes } from './exit-codes.ts';

describe('exit codes', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  const enrolled = (t: TestContext, to = server): Promise<TestDevice> => enrolledDevice(temporary(t), to);

  it('are written down as they are', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../../docs/guide/exit-codes.md'), 'utf8');
    const rows = [...text.matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(([, code, meaning]) => [Number(code), meaning]);
    assert.deepEqual(
      rows,
      (Object.keys(EXIT) as ExitName[]).map((name) => [EXIT[name], EXIT_MEANINGS[name]]),
    );
  });

  it('know only errors that exist', () => {
    const known = new Set([...Object.keys(AGENT_CODES), ...Object.keys(ARCHIVE_CODES), ...Object.keys(PROTOCOL_CODES)]);
    assert.deepEqual(
      namedCodes().filter((code) => !known.has(code)),
      [],
    );
  });

  it('2: what was typed is not right', async (t) => {
    const device = testDevice(temporary(t), 'laptop');
    const wrong = [
      ['nonsense'],
      ['backup', '--nonsense'],
      ['restore', '--existing', 'destroy'],
      ['sets', 'add', 'x'],
      ['sets', 'remove', 'unknown'],
      ['config', 'set', 'cpu.present', '500%'],
      ['config', 'get', 'unknown'],
      ['pause', '--for', 'ever'],
      ['enrol', 'not a string'],
      [],
    ];
    for (const words of wrong) {
      const said = await device.run(...words);
      assert.equal(said.code, EXIT.usage, words.join(' '));
      assert.notEqual(said.stderr, '', words.join(' '));
      const { code, stdout, stderr } = await device.run(...words, '--json');
      assert.deepEqual([code, stderr], [EXIT.usage, ''], words.join(' '));
      const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
      assert.match(error.code, /^[a-z_]+$/);
      assert.match(error.message, /^[^\n]{20,}$/, 'what is wrong, and what to do');
    }
    assert.equal((await device.run('--help')).code, EXIT.ok);
    assert.equal((await device.run('restore', '--help')).code, EXIT.ok);
  });

  it('2: there is no such device or set', async (t) => {
    const device = await enrolled(t);
    await device.json('backup', '--set', 'home');
    for (const command of ['snapshots', 'ls', 'find *', 'restore']) {
      for (const [option, known] of [
        ['--device', /"nobody"; there is "[^"]+"/],
        ['--set', /"nobody"; there are .*"home"/],
      ] as const) {
        const { code, stderr } = await device.run(...command.split(' '), option, 'nobody');
        assert.equal(code, EXIT.usage, `${command} ${option}: ${stderr}`);
        assert.match(stderr, known, command);
      }
    }
    await device.json('sets', 'add', 'new', '~/new');
    const { code, stderr } = await device.run('restore', '--set', 'new');
    assert.equal(code, EXIT.failed, 'it exists, and nothing of it is backed up yet');
    assert.match(stderr, /backed up yet/);
  });

  it('4: the device is not enrolled', async (t) => {
    const device = testDevice(temporary(t), 'laptop');
    for (const words of [['status'], ['backup'], ['snapshots'], ['restore'], ['check'], ['key', 'show']]) {
      const { code, stdout, stderr } = await device.run(...words);
      assert.equal(code, EXIT.notEnrolled, words.join(' '));
      assert.match(stdout + stderr, /holdfast enrol/);
    }
  });

  it('3: done, but not all of it', async (t) => {
    const device = await enrolled(t);
    await device.json('backup');
    mkdirSync(join(device.shell.cwd, 'to/laptop/letter.txt/in the way'), { recursive: true });
    const restored = await device.run('restore', device.userHome, '--to', 'to', '--existing', 'overwrite');
    assert.equal(restored.code, EXIT.partial, restored.stderr);
    assert.match(restored.stdout, /letter\.txt \(a folder that is not empty is in its place\)/);
  });

  it('5: the server is away', async (t) => {
    const away = await startTestServer();
    const device = await enrolled(t, away);
    await away.close();
    const impatient = testDevice(join(device.userHome, '..'), 'laptop', { time: leapingTime() });
    const { code, stdout } = await impatient.run('snapshots', '--json');
    assert.equal(code, EXIT.offline, stdout);
    assert.equal(JSON.parse(stdout.trim().split('\n').at(-1) ?? '').error.code, 'offline');
  });

  it('6: the server refuses', async (t) => {
    const dir = temporary(t);
    const user = await server.addUser('refused');
    writeFileSync(join(dir, 'password'), 'wrong');
    const device = testDevice(dir, 'laptop');
    const string = await server.server.enrolmentString();
    const wrong = await device.run('enrol', string, '--user', user.username, '--password-file', join(dir, 'password'));
    assert.equal(wrong.code, EXIT.refused, wrong.stderr);
    const forged = string.replace(/:[0-9a-f]{64}:/, `:${'0'.repeat(64)}:`);
    const mismatch = await device.run(
      'enrol',
      forged,
      '--user',
      user.username,
      '--password-file',
      join(dir, 'password'),
    );
    assert.equal(mismatch.code, EXIT.refused, mismatch.stderr);
    assert.match(mismatch.stderr, /certificate/);
  });

  it('7: something stored is damaged', async (t) => {
    const device = await enrolled(t);
    device.write('big', randomBytes(200_000));
    await device.json('backup');
    await device.json('key', 'export', 'key', '--copy-only');
    const store = join(server.config.dataDir, 'store');
    const { archive } = await device.json<{ archive: string }>('key', 'show');
    const read = ['--store', store, '--archive', archive, '--identity', 'key'];
    assert.equal((await device.run('check', '--read-data', ...read)).code, EXIT.ok);
    for (const pack of packsOf(join(store, 'archives', archive))) truncateSync(pack, 1000);
    const checked = await device.run('check', '--read-data', ...read);
    assert.equal(checked.code, EXIT.damaged, checked.stderr);
  });

  it('7: something kept here is damaged', async (t) => {
    const device = await enrolled(t);
    writeFileSync(join(device.shell.home, 'state/settings.json'), '{');
    const { code, stderr } = await device.run('sets');
    assert.equal(code, EXIT.damaged);
    assert.match(stderr, /settings\.json/);
  });

  it('8: another process does this', async (t) => {
    const device = await enrolled(t);
    const { setId } = await device.json<{ setId: string }>('backup', '--set', 'home');
    const lock = tryLock(join(device.shell.home, `locks/set-${setId}`));
    assert.ok(lock);
    assert.equal((await device.run('backup', '--set', 'home')).code, EXIT.busy);
    lock.release();
    assert.equal((await device.run('backup', '--set', 'home')).code, EXIT.ok);
  });

  it('9: the key is missing or wrong', async (t) => {
    const [device, other] = [await enrolled(t), await enrolled(t)];
    await device.json('backup');
    await other.json('key', 'export', 'key', '--copy-only');
    const { archive } = await device.json<{ archive: string }>('key', 'show');
    const from = ['--store', join(server.config.dataDir, 'store'), '--archive', archive];
    const foreign = await device.run('snapshots', ...from, '--identity', join(other.shell.cwd, 'key'));
    assert.equal(foreign.code, EXIT.keyNeeded, foreign.stderr);
    assert.equal((await device.run('snapshots', ...from)).code, EXIT.keyNeeded);
    rmSync(join(device.shell.home, 'state/identity.age'));
    assert.equal((await device.run('backup')).code, EXIT.keyNeeded);
  });

  it('130 and 143: it was stopped', async (t) => {
    const device = await enrolled(t);
    for (const [signal, code] of [
      ['SIGINT', EXIT.interrupted],
      ['SIGTERM', EXIT.terminated],
    ] as const) {
      device.write('big', randomBytes(40_000_000));
      const ran = await device.runWith(
        { stop: { when: /"event":"progress"/, signal } },
        'backup',
        '--set',
        'home',
        '--json',
      );
      assert.equal(ran.code, code, ran.stdout);
    }
    assert.equal((await device.run('backup')).code, EXIT.ok, 'the next one goes on');
  });

  it('1: anything else', async (t) => {
    const device = await enrolled(t);
    await device.json('backup');
    symlinkSync('nowhere', join(device.shell.cwd, 'dangling'));
    const { code } = await device.run('key', 'export', 'dangling/key', '--copy-only');
    assert.equal(code, EXIT.failed);
  });
});

function packsOf(archive: string): string[] {
  const folder = join(archive, 'packs');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
