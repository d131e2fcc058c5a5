import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { enrolledDevice } from '../testing/device-world.ts';
import { temporary } from '../testing/temporary.ts';
import { EXIT } from './exit-codes.ts';

type Snapshots = { snapshots: { skippedCount: number; unreadCount: number }[] };

describe('a socket in a set', { skip: process.platform === 'win32' && 'sockets are no files there' }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  it('is told as left out and is nowhere unread', async (t) => {
    const device = await enrolledDevice(temporary(t), server);
    const listening = createServer().listen(device.path('chat'));
    t.after(() => listening.close());
    await once(listening, 'listening');

    const backed = await device.run('backup', '--set', 'home');
    assert.equal(backed.code, EXIT.ok, backed.stderr);
    assert.match(backed.stdout, /1 socket without content:\n.*\/chat \(socket\)/);

    const { snapshots } = await device.json<Snapshots>('snapshots');
    assert.deepEqual(
      snapshots.map(({ skippedCount, unreadCount }) => [skippedCount, unreadCount]),
      [[1, 0]],
    );
    for (const command of ['snapshots', 'status'])
      assert.doesNotMatch((await device.run(command)).stdout, /not (be )?read/, command);
  });
});
