import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('attack-decoders.ts', import.meta.url));
/** Small enough that an array of billions ends the process, whatever it was meant for. */
const HEAP = '--max-old-space-size=256';
/** What never ends is ended, and the last decoder that it named is the one. */
const HANGS_MS = 5 * 60_000;
const SEED = String(Date.now() % 2 ** 31);
const RUNS = '60';

test('every decoder refuses hostile input with a code, in bounded memory, and takes whole input as it is', () => {
  const args = [HEAP, PROGRAM, '--seed', SEED, '--runs', RUNS];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: HANGS_MS });
  assert.equal(status, 0, `seed ${SEED}, ${signal ?? 'ended'}\n${stdout}\n${stderr}`);
  console.log(`hostile input for every decoder: seed ${SEED}`);
});
