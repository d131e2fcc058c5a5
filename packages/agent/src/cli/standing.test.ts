import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { startTestServer } from '@holdfast/server/testing/test-server.ts';
import { runDaemon } from '../daemon/daemon.ts';
import { systemTime } from '../limits/system-time.ts';
import { openHome } from '../state/home.ts';
import { enrolledDevice, type TestDevice } from '../testing/device-world.ts';
import { configOf } from '../testing/run-line.ts';
import { temporary } from '../testing/temporary.ts';
import { EXIT } from './exit-codes.ts';
import type { Standing } from './standing.ts';

type Shown = { device: { id: string }; daemon: object | null; standing: Standing };

/** Resolves when it listens. */
async function serve(t: TestContext, { shell }: TestDevice): Promise<void> {
  const started = Promise.withResolvers<void>();
  const controller = new AbortController();
  const ended = runDaemon({
    home: openHome(configOf(shell)),
    config: configOf(shell),
    time: systemTime(Date.now),
    zone: 'Europe/Berlin',
    random: Math.random,
    fillRandom: (target) => target.set(randomBytes(target.length)),
    pid: process.pid,
    untilIdle: false,
    onEvent: ({ kind }) => kind === 'started' && started.resolve(),
    signal: controller.signal,
  });
  t.after(async () => {
    controller.abort();
    await ended;
  });
  await started.promise;
}

/** Accepted, removed by an administrator, then without an answer. */
async function lookThrice(t: TestContext, served: boolean): Promise<void> {
  const server = await startTestServer();
  let open = true;
  const close = async () => {
    if (open) await server.close();
    open = false;
  };
  t.after(close);
  const device = await enrolledDevice(temporary(t), server);
  if (served) await serve(t, device);
  const before = await device.json<Shown>('status');
  assert.deepEqual(before.standing, { kind: 'accepted' });
  assert.equal(before.daemon !== null, served);

  const admin = await server.signIn(await server.addUser('admin', ['sysadmin']));
  await admin.call(identityRoutes.revokeDevice, { params: { device: before.device.id } });
  const removed = await device.run('status');
  assert.equal(removed.code, EXIT.refused);
  assert.match(removed.stdout, /server has removed this device: nothing is backed up any more/);
  const { code, stdout } = await device.run('status', '--json');
  assert.equal(code, EXIT.refused);
  const { standing } = JSON.parse(stdout) as { standing: { kind: string; code?: string } };
  assert.deepEqual([standing.kind, standing.code], ['refused', 'device_revoked']);

  await close();
  const away = await device.run('status');
  assert.equal(away.code, EXIT.ok);
  assert.match(away.stdout, /server does not answer now/);
}

describe('what the server says of a device', () => {
  it('stands in its status: accepted, removed, or that it does not answer', (t) => lookThrice(t, false));

  it('is asked by a service that runs, then and there', (t) => lookThrice(t, true));
});
