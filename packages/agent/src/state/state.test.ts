import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { homeConfig, temporary, temporaryHome } from '../testing/temporary.ts';
import { writeAtomic } from './atomic-file.ts';
import { describeHome, openHome, sweep } from './home.ts';
import { tryLock } from './lock.ts';
import { readPause, writePause } from './pause.ts';
import { number, readRecord, writeRecord } from './record.ts';
import { readRun, writeRun } from './run-record.ts';

const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);

/** Runs TypeScript source in a process of its own and gives its lines. */
function runSource(source: string) {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

describe('a record', () => {
  it('is whole and no older than what was acknowledged, whenever the process is killed', async (t) => {
    const path = join(temporary(t), 'record.json');
    for (const kills of [1, 2, 7, 20]) {
      const { child, lines } = runSource(`
        import { writeRecord } from ${module('./record.ts')};
        for (let n = 1; ; n++) { writeRecord(${JSON.stringify(path)}, { n, filler: 'x'.repeat(20000) }); console.log(n); }`);
      let acknowledged = 0;
      while (acknowledged < kills) acknowledged = Number((await lines.next()).value);
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
      const n = readRecord(path, (fields) => number(fields, 'n'));
      assert.ok(n !== null && n >= acknowledged, `${n} after ${acknowledged}`);
    }
  });

  it('keeps the old bytes and leaves nothing behind when it cannot be written', (t) => {
    const dir = temporary(t);
    const path = join(dir, 'record.json');
    writeAtomic(path, 'old');
    mkdirSync(join(dir, 'folder', 'full'), { recursive: true });
    assert.throws(() => writeAtomic(join(dir, 'folder'), 'new'));
    assert.equal(readFileSync(path, 'utf8'), 'old');
    assert.deepEqual(readdirSync(dir).sort(), ['folder', 'record.json']);
  });

  it('is for its user alone', { skip: process.platform === 'win32' ? 'no modes there' : false }, (t) => {
    const path = join(temporary(t), 'record.json');
    writeRecord(path, { n: 1 });
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('that is damaged is said to be, with its path', (t) => {
    const path = join(temporary(t), 'record.json');
    for (const text of ['', '{', '[]', '{"version":1}', '{"version":1,"n":"x"}', 'null']) {
      writeFileSync(path, text);
      assert.throws(
        () => readRecord(path, (fields) => number(fields, 'n')),
        { code: 'state_damaged', data: { path } },
        text,
      );
    }
  });

  it('of a newer program is not touched', (t) => {
    const path = join(temporary(t), 'record.json');
    writeFileSync(path, '{"version":2,"n":1}');
    assert.throws(() => readRecord(path, (fields) => number(fields, 'n')), { code: 'state_newer' });
  });

  it('with fields that this program does not know is read', (t) => {
    const home = temporaryHome(t);
    writePause(home, { since: 1, until: null });
    const path = join(home.state, 'pause.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), later: true }));
    assert.deepEqual(readPause(home, 5), { since: 1, until: null });
  });
});

describe('the state folder', () => {
  it('is closed to others, also when it was open', {
    skip: process.platform === 'win32' ? 'no modes there' : false,
  }, (t) => {
    const dir = join(temporary(t), 'home');
    mkdirSync(dir);
    chmodSync(dir, 0o755);
    openHome(homeConfig(dir));
    assert.equal(statSync(dir).mode & 0o777, 0o700);
  });

  it('loses what processes that died were writing as soon as it is used again, and nothing that one is writing', (t) => {
    const home = temporaryHome(t);
    const { pid: gone } = spawnSync(process.execPath, ['--version']);
    const torn = [`settings.json.${gone}-0.tmp`, `sets/one.json.${gone}-12.tmp`];
    const others = [`settings.json.${process.ppid}-0.tmp`, `settings.json.${process.pid}-0.tmp`, 'sets/one.json'];
    for (const name of [...torn, ...others]) writeFileSync(join(home.state, name), 'x');
    openHome(homeConfig(home.dir));
    assert.deepEqual(readdirSync(home.state, { recursive: true }).sort(), [...others, 'sets'].sort());
  });

  it('loses caches of another format', (t) => {
    const home = temporaryHome(t);
    mkdirSync(join(home.dir, 'cache', '0', 'x'), { recursive: true });
    sweep(home);
    assert.deepEqual(readdirSync(join(home.dir, 'cache')), ['1']);
  });

  it('has an address to listen at even where its path is too long for a socket', (t) => {
    const dir = join(temporary(t), 'a'.repeat(120));
    const short = temporary(t);
    const home = describeHome({ ...homeConfig(dir), runtimeDir: short });
    assert.ok(Buffer.byteLength(home.control) <= 104);
    assert.ok(home.control.startsWith(short));
  });
});

describe('a lock', () => {
  it('is held by one at a time, in one process and between processes, until its holder dies', async (t) => {
    const path = join(temporary(t), 'lock');
    const { child, lines } = runSource(`
      import { tryLock } from ${module('./lock.ts')};
      console.log(tryLock(${JSON.stringify(path)}) !== null); process.stdin.resume();`);
    assert.equal((await lines.next()).value, 'true');
    assert.equal(tryLock(path), null);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    const lock = tryLock(path);
    assert.ok(lock);
    assert.equal(tryLock(path), null);
    lock.release();
    const again = tryLock(path);
    assert.ok(again);
    again.release();
  });
});

describe('a pause', () => {
  it('ends by itself at its time, and survives restarts until then', (t) => {
    const home = temporaryHome(t);
    assert.equal(readPause(home, 0), null);
    writePause(home, { since: 10, until: 100 });
    assert.deepEqual(readPause(home, 99), { since: 10, until: 100 });
    assert.equal(readPause(home, 100), null);
    writePause(home, null);
    assert.equal(readPause(home, 50), null);
  });
});

describe("a set's record", () => {
  it('says that it never ran until it did', (t) => {
    const home = temporaryHome(t);
    const run = readRun(home, 'ab');
    assert.deepEqual(
      { ...run },
      {
        set: 'ab',
        startedAt: null,
        doneAt: null,
        walkedAt: null,
        selection: null,
        last: null,
        failure: null,
        notes: [],
      },
    );
    const last = { kind: 'committed', at: 2, snapshot: 'cd', files: 1, bytes: 2, sent: 3, skipped: 0 } as const;
    const done = { ...run, startedAt: 1, doneAt: 2, last, failure: { code: 'x', message: 'y', at: 3, count: 1 } };
    writeRun(home, done);
    assert.deepEqual(readRun(home, 'ab'), done);
  });
});
