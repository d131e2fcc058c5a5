import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { startTestServer } from '@holdfast/server/testing/test-server.ts';
import { enrolledDevice } from '../testing/device-world.ts';
import { temporary } from '../testing/temporary.ts';
import { EXIT } from './exit-codes.ts';
import type { Standing } from './standing.ts';

type Shown = { device: { id: string }; standing: Standing };

describe('what the server says of a device', () => {
  it('stands in its status: accepted, removed, or that it does not answer', async (t) => {
    const server = await startTestServer();
    let open = true;
    const close = async () => {
      if (open) await server.close();
      open = false;
    };
    t.after(close);
    const device = await enrolledDevice(temporary(t), server);
    const before = await device.json<Shown>('status');
    assert.deepEqual(before.standing, { kind: 'accepted' });

    const admin = await server.signIn(await server.addUser('admin', ['sysadmin']));
    await admin.call(identityRoutes.revokeDevice, { params: { device: before.device.id } });
    const removed = await device.run('status');
    assert.equal(removed.code, EXIT.refused);
    assert.match(removed.stdout, /server has removed this device: nothing is backed up any more/);
    const { code, stdout } = await device.run('status', '--json');
    assert.equal(code, EXIT.refused);
    assert.deepEqual((({ kind, code: why }) => [kind, why])((JSON.parse(stdout) as { standing: never }).standing), [
      'refused',
      'device_revoked',
    ]);

    await close();
    const away = await device.run('status');
    assert.equal(away.code, EXIT.ok);
    assert.match(away.stdout, /server does not answer now/);
  });
});
