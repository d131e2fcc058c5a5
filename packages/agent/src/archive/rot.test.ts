// A snapshot decays where the server keeps it. Verify names it, the next backup brings it again though nothing has changed, and a
// check proves it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { keyWorld } from '../testing/key-world.ts';

describe('a snapshot that decayed on the server', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  it('is brought again by the next backup, though nothing has changed, and restores', async (t) => {
    const world = await keyWorld(t, server, 'rot');
    const { archive } = await world.first.json<{ archive: string }>('key', 'show');
    const folder = join(server.config.storeDir, 'archives', archive, 'snapshots');
    const file = join(folder, readdirSync(folder)[0] as string);
    const whole = readFileSync(file);
    for (const at of [80, whole.length - 1]) {
      writeFileSync(file, whole.with(at, (whole[at] as number) ^ 4));
      assert.equal((await world.first.run('check')).code, 7, `byte ${at} is found by a check`);
      await world.first.run('backup', '--set', 'home');
      assert.ok(readFileSync(file).equals(whole), `byte ${at} is as it was`);
      assert.equal((await world.first.run('check', '--read-data')).code, 0);
    }
  });
});
