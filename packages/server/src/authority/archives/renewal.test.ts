import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { onBothDatabases } from '../../database/testing/both.ts';
import { archiveWorld, type TestIdentity } from '../../testing/archive-world.ts';
import { refusedWith } from '../../testing/refused.ts';
import { startTestServer, type TestDevice, type TestServer } from '../../testing/test-server.ts';
import { readEntries } from '../audit/audit.ts';
import { openWith, sealWithPassphrase } from '../keyring/age.ts';

onBothDatabases('a new identity', (fresh) => {
  let t: TestServer;
  let count = 0;
  before(async () => {
    t = await startTestServer({ database: await fresh() });
  });
  after(() => t.close());

  const { makeIdentity, storeWrap, storedWraps, escrowed, withArchive } = archiveWorld(
    () => t,
    () => t.addUser(`user${count++}@example.org`),
  );
  const auditActions = async (target: string) =>
    (await readEntries(t.server.foundation.context.database.kysely, { limit: 200 }))
      .filter((entry) => entry.target === target)
      .map(({ action }) => action);

  type Level = 'account' | 'archive-password' | 'custom-key';
  const publicOf = ({ recipient, signingKey }: TestIdentity) => ({ recipient, signingKey });
  const renew = (
    device: TestDevice,
    previous: TestIdentity,
    identity: TestIdentity,
    more: { level?: Level; password?: string; keptFrom?: string[] } = {},
  ) => {
    const body = {
      level: 'account' as const,
      keptFrom: [],
      previous: publicOf(previous),
      identity: publicOf(identity),
    };
    return device.client.call(deviceRoutes.renewIdentity, { body: { ...body, ...more } });
  };
  const formerDevices = async (device: TestDevice) =>
    (await device.client.call(deviceRoutes.context, {})).formerDevices.map(({ name }) => name);

  test('above level account the authority gives nothing and keeps nothing', async () => {
    const { user, device, identity, archive } = await withArchive();
    const [next, last] = [await makeIdentity(), await makeIdentity()];
    const raise = (level: Level, password = user.password) => renew(device, identity, next, { level, password });
    await assert.rejects(raise('archive-password', 'wrong'), refusedWith('sign_in_failed'));
    await assert.rejects(renew(device, identity, next, { level: 'custom-key' }), refusedWith('renewal_not_due'));
    assert.equal((await storedWraps(device, archive)).length, 1, 'the escrow wrap is still there');
    await assert.rejects(raise('archive-password'), refusedWith('key_wrap_missing'));
    await storeWrap(
      device,
      archive,
      'passphrase.age',
      await sealWithPassphrase('a passphrase', Buffer.from('identity'), 10),
    );
    assert.equal((await raise('archive-password')).recipient, next.recipient);
    assert.deepEqual(await storedWraps(device, archive), ['passphrase.age']);
    const later = await t.enrol(user, 'later');
    assert.equal(later.user.keyLevel, 'archive-password');
    await assert.rejects(later.client.call(deviceRoutes.identity, {}), refusedWith('key_not_escrowed'));
    const { password } = user;
    await assert.rejects(renew(device, next, last, { password }), refusedWith('key_level_lower'));
    await renew(device, next, last, { level: 'custom-key', password });
    assert.deepEqual(await storedWraps(device, archive), []);
    // A wrap that came back by some way is removed by asking again
    await escrowed(device, archive, await makeIdentity());
    await renew(device, next, last, { level: 'custom-key', password });
    assert.deepEqual(await storedWraps(device, archive), []);
  });

  test('no new identity is taken without the password of the account before a device was removed', async () => {
    const { device, identity, archive } = await withArchive();
    const next = await makeIdentity();
    await escrowed(device, archive, next);
    await assert.rejects(renew(device, identity, next), refusedWith('renewal_not_due'));
    assert.equal((await device.client.call(deviceRoutes.context, {})).archive.recipient, identity.recipient);
  });

  test('a removed device makes a new identity due, and escrow must open to the very one that is offered', async () => {
    const { user, device, identity, archive } = await withArchive();
    const lost = await t.enrol(user, 'lost');
    assert.deepEqual(await formerDevices(device), []);
    await lost.client.call(deviceRoutes.leave, {});
    assert.deepEqual(await formerDevices(device), ['lost']);
    const [next, late] = [await makeIdentity(), await makeIdentity()];
    await assert.rejects(renew(device, identity, next), refusedWith('key_wrap_unusable'));
    await escrowed(device, archive, next);
    await escrowed(device, archive, late);
    const keptFrom = [lost.device.id];
    assert.equal((await renew(device, identity, next, { keptFrom })).recipient, next.recipient);
    assert.deepEqual(await formerDevices(device), []);
    await renew(device, identity, next, { keptFrom });
    // Whoever comes second, with one of its own for the same identity, has to follow
    await assert.rejects(renew(device, identity, late, { keptFrom }), refusedWith('conflict'));
    await assert.rejects(renew(device, next, late, { keptFrom }), refusedWith('renewal_not_due'));
    const later = await t.enrol(user, 'later');
    const wrap = await later.client.call(deviceRoutes.identity, {});
    assert.equal(Buffer.from(await openWith(later.age.identity, wrap)).toString(), next.text);
    const actions = await auditActions(`archive:${archive}`);
    assert.equal(actions.filter((action) => action === 'archive.identity_renewed').length, 1);
  });

  test('a device that was removed while an identity was made stays due, and cannot name itself as kept out', async () => {
    const { user, device, identity, archive } = await withArchive();
    const [first, second] = [await t.enrol(user, 'first'), await t.enrol(user, 'second')];
    await first.client.call(deviceRoutes.leave, {});
    const next = await makeIdentity();
    await escrowed(device, archive, next);
    await renew(second, identity, next, { keptFrom: [first.device.id, second.device.id] });
    assert.deepEqual(await formerDevices(device), []);
    await second.client.call(deviceRoutes.leave, {});
    assert.deepEqual(await formerDevices(device), ['second']);
  });

  test('of two devices that renew at the same moment exactly one does', async () => {
    const { user, device, identity, archive } = await withArchive();
    const [other, lost] = [await t.enrol(user), await t.enrol(user)];
    await lost.client.call(deviceRoutes.leave, {});
    const offers = [await makeIdentity(), await makeIdentity()];
    for (const offer of offers) await escrowed(device, archive, offer);
    const keptFrom = [lost.device.id];
    const results = await Promise.allSettled([
      renew(device, identity, offers[0]!, { keptFrom }),
      renew(other, identity, offers[1]!, { keptFrom }),
    ]);
    assert.equal(results.filter((r) => r.status === 'fulfilled').length, 1);
    assert.equal(results.find((r) => r.status === 'rejected')?.reason.code, 'conflict');
  });
});
