import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { type CuttingProxy, cuttingProxy } from '../testing/cutting-proxy.ts';
import { enrolledDevice, type TestDevice } from '../testing/device-world.ts';
import { temporary } from '../testing/temporary.ts';

describe('a backup that has to wait', () => {
  let server: TestServer;
  let proxy: CuttingProxy;
  before(async () => {
    server = await startTestServer();
    proxy = await cuttingProxy(server.server.httpsPort);
  });
  after(async () => {
    await proxy.close();
    await server.close();
  });

  const through = async () =>
    (await server.server.enrolmentString()).replace(`:${server.server.httpsPort}:`, `:${proxy.port}:`);

  /** Runs a command while the server is away, until it says something. */
  async function away(device: TestDevice, ...words: string[]) {
    proxy.cutAfter(0);
    return device.runWith({ onNote: () => proxy.mend() }, ...words);
  }

  it('says once why, where nobody sees a bar, and that it goes on', async (t) => {
    const enrolling = { server: { enrolmentString: through }, addUser: server.addUser };
    const device = await enrolledDevice(temporary(t), enrolling);
    const { code, stdout, stderr } = await away(device, 'backup', '--set', 'home');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Waiting: .* does not answer .*\. The server cannot be reached\..*\nGoing on\.\n$/);
    assert.match(stdout, /^home: snapshot/);
  });
});
