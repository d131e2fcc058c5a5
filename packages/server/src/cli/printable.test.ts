import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../testing/program.ts';
import { startTestServer } from '../testing/test-server.ts';

const NAME = 'laptop\u001b[2J\u009b31m\nroot  active\u202e';
const SHOWN = String.raw`laptop\x1b[2J\x9b31m\nroot  active\u{202e}`;
const UNSAFE = /(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;

test('names that devices chose do nothing to the terminal of an administrator, and come whole to programs', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-printable-'));
  const dataDir = join(dir, 'data');
  const server = await startTestServer({ dataDir });
  t.after(async () => {
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const { device } = await server.enrol(await server.addUser('grace'), NAME);
  const onServer = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run([...args, '--data', dataDir]);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stdout, UNSAFE);
    return stdout;
  };
  const listed = await onServer('device', 'list');
  assert.ok(listed.includes(SHOWN), listed);
  assert.equal(listed.trimEnd().split('\n').length, 1);
  assert.equal(JSON.parse(await onServer('device', 'list', '--json')).name, NAME);
  assert.ok((await onServer('device', 'revoke', device.guid)).startsWith(`Removed ${SHOWN}.`));
  const refused = await run(['device', 'revoke', NAME, '--data', dataDir]);
  assert.notEqual(refused.code, 0);
  assert.doesNotMatch(refused.stderr, UNSAFE);
});
