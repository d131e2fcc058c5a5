import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporary } from './testing/temporary.ts';

const PROGRAM = fileURLToPath(new URL('../bin/holdfast.mjs', import.meta.url));
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

  it('is not needed', () => startFor('/dev/null/home'));
});
