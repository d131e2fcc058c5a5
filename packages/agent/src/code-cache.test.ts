import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporary } from './testing/temporary.ts';

const PROGRAM = fileURLToPath(new URL('../bin/holdfast.mjs', import.meta.url));
const DAY_MS = 86_400_000;
const skip = process.platform === 'linux' ? false : 'it looks where Linux keeps caches';

/** Starts the program for a user with this home; it has to work whatever lies there. */
function startFor(home: string): void {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, '--version'], { env: { HOME: home } });
  assert.equal(status, 0, String(stderr));
}

function homeOf(t: TestContext): { home: string; code: string } {
  const home = join(temporary(t), 'home');
  mkdirSync(home);
  return { home, code: join(home, '.cache/holdfast/code') };
}

describe('what Node compiled of the program', { skip }, () => {
  it('is kept for the next start, for this user alone', (t) => {
    const { home, code } = homeOf(t);
    startFor(home);
    assert.notDeepEqual(readdirSync(code), []);
    assert.equal(statSync(code).mode & 0o777, 0o700);
    startFor(home);
  });

  it('is not kept where others can write', (t) => {
    const { home, code } = homeOf(t);
    chmodSync(home, 0o777);
    startFor(home);
    assert.equal(existsSync(code), false);
  });

  it('is not kept where a link or the rights lead elsewhere', (t) => {
    const { home, code } = homeOf(t);
    const elsewhere = join(home, 'elsewhere');
    mkdirSync(elsewhere);
    mkdirSync(join(code, '..'), { recursive: true });
    symlinkSync(elsewhere, code);
    startFor(home);
    assert.deepEqual(readdirSync(elsewhere), []);
  });

  it('goes when it was written long ago, as that of another version; looked at once a day', (t) => {
    const { home, code } = homeOf(t);
    startFor(home);
    const [current] = readdirSync(code).filter((name) => name !== 'trimmed') as [string];
    const [stale, ...fresh] = readdirSync(join(code, current)) as [string, ...string[]];
    const other = join(code, 'v25.0.0-x64-of-before-0');
    mkdirSync(other);
    writeFileSync(join(other, 'module'), 'compiled');
    const longAgo = new Date(Date.now() - 31 * DAY_MS);
    for (const file of [join(other, 'module'), join(code, current, stale)]) utimesSync(file, longAgo, longAgo);
    startFor(home);
    assert.equal(existsSync(other), true);
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    utimesSync(join(code, 'trimmed'), yesterday, yesterday);
    startFor(home);
    assert.equal(existsSync(other), false);
    const left = readdirSync(join(code, current));
    for (const file of fresh) assert.ok(left.includes(file), file);
    assert.ok(Date.now() - statSync(join(code, 'trimmed')).mtimeMs < DAY_MS);
    if (left.includes(stale)) assert.ok(Date.now() - statSync(join(code, current, stale)).mtimeMs < DAY_MS);
  });

  it('is not needed', () => startFor('/dev/null/home'));
});
