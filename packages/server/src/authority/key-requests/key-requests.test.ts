import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { KEY_REQUEST_LIFETIME_MS, keyRequestRoutes } from '@holdfast/protocol/key-request-routes.ts';
import { onBothDatabases } from '../../database/testing/both.ts';
import { refusedWith } from '../../testing/refused.ts';
import { startTestServer, type TestDevice, type TestServer } from '../../testing/test-server.ts';
import { newAgeKey } from '../keyring/age.ts';

onBothDatabases('requests for the key', (fresh) => {
  let t: TestServer;
  let now = Date.UTC(2026, 5, 1);
  let count = 0;
  before(async () => {
    t = await startTestServer({ database: await fresh(), now: () => now });
  });
  after(() => t.close());

  /** A user whose archive is ready, with a device that holds the key and one that does not. */
  async function world(state: 'ready' | 'preparing' = 'ready') {
    count += 1;
    const user = await t.addUser(`user${count}@example.org`);
    const [old, young] = [await t.enrol(user, 'old'), await t.enrol(user, 'young')];
    const identity = { recipient: (await newAgeKey()).recipient, signingKey: randomBytes(32).toString('hex') };
    const row = {
      user: user.id,
      id: randomBytes(16).toString('hex'),
      state,
      recipient: identity.recipient,
      signing_key: identity.signingKey,
      made_by: old.device.id,
      kept_from: '[]',
      created: now,
    };
    await t.server.foundation.context.database.kysely.insertInto('archives').values(row).execute();
    return { user, old, young, identity };
  }
  const nonce = () => randomBytes(32).toString('hex');
  type Identity = { recipient: string; signingKey: string };
  const request = (device: TestDevice, identity: Identity, with_ = nonce()) =>
    device.client.call(keyRequestRoutes.requestKey, { body: { nonce: with_, identity } });
  const listed = async (device: TestDevice) => (await device.client.call(keyRequestRoutes.keyRequests, {})).requests;
  const own = async (device: TestDevice) => (await device.client.call(keyRequestRoutes.ownKeyRequest, {})).expires;
  const answer = (device: TestDevice, asking: TestDevice) =>
    device.client.call(keyRequestRoutes.answerKeyRequest, { params: { device: asking.device.id } });

  test('reach the other devices of the user as they were made, and end when they are answered', async () => {
    const { old, young, identity } = await world();
    const chosen = nonce();
    const { expires } = await request(young, identity, chosen);
    assert.equal(expires, now + KEY_REQUEST_LIFETIME_MS);
    const [found, ...more] = await listed(old);
    assert.deepEqual([found?.device.id, found?.device.recipient, more], [young.device.id, young.age.recipient, []]);
    assert.deepEqual([found?.nonce, found?.identity, found?.expires], [chosen, identity, expires]);
    assert.deepEqual(await listed(young), [], 'nobody answers their own');
    assert.equal(await own(young), expires);
    await answer(old, young);
    assert.deepEqual([await listed(old), await own(young)], [[], null]);
    await assert.rejects(answer(old, young), refusedWith('not_found'));
    const admin = await t.signIn(await t.addUser(`admin${count}@example.org`, ['sysadmin']));
    const { entries } = await admin.call(identityRoutes.audit, { query: { limit: 20 } });
    const actions = entries.map(({ action }) => action);
    assert.ok(actions.includes('archive.key_requested') && actions.includes('archive.key_given'));
  });

  test('are one for each device, the last one', async () => {
    const { old, young, identity } = await world();
    await request(young, identity);
    const last = nonce();
    await request(young, identity, last);
    assert.deepEqual(
      (await listed(old)).map((each) => each.nonce),
      [last],
    );
    await young.client.call(keyRequestRoutes.endKeyRequest, {});
    assert.deepEqual(await listed(old), []);
    await young.client.call(keyRequestRoutes.endKeyRequest, {});
  });

  test('are never seen or answered by another user', async () => {
    const [mine, theirs] = [await world(), await world()];
    await request(mine.young, mine.identity);
    assert.deepEqual(await listed(theirs.old), []);
    await assert.rejects(answer(theirs.old, mine.young), refusedWith('not_found'));
    await assert.rejects(request(theirs.young, mine.identity), refusedWith('conflict'));
    assert.equal((await listed(mine.old)).length, 1);
  });

  test('end after an hour, and with their device', async () => {
    const { old, young, identity } = await world();
    await request(young, identity);
    now += KEY_REQUEST_LIFETIME_MS;
    assert.deepEqual([await listed(old), await own(young)], [[], null]);
    await assert.rejects(answer(old, young), refusedWith('not_found'));
    await request(young, identity);
    const admin = await t.signIn(await t.addUser(`remover${count}@example.org`, ['sysadmin']));
    await admin.call(identityRoutes.revokeDevice, { params: { device: young.device.id } });
    assert.deepEqual(await listed(old), []);
    await assert.rejects(request(young, identity), refusedWith('device_revoked'));
    const { kysely } = t.server.foundation.context.database;
    const left = await kysely
      .selectFrom('key_requests')
      .select('device')
      .where('device', '=', young.device.id)
      .execute();
    assert.deepEqual(left, []);
  });

  test('need an archive that is ready, and a user who may use the backup app', async () => {
    const { young, identity } = await world('preparing');
    await assert.rejects(request(young, identity), refusedWith('archive_not_ready'));
    const blocked = await world();
    const admin = await t.signIn(await t.addUser(`blocker${count}@example.org`, ['sysadmin']));
    await request(blocked.young, blocked.identity);
    await admin.call(identityRoutes.updateUser, { params: { user: blocked.user.id }, body: { state: 'blocked' } });
    await assert.rejects(request(blocked.young, blocked.identity), refusedWith('user_blocked'));
    await assert.rejects(listed(blocked.old), refusedWith('user_blocked'));
    await assert.rejects(answer(blocked.old, blocked.young), refusedWith('user_blocked'));
    const others = await world();
    const body = { roles: ['console-user'] };
    await admin.call(identityRoutes.updateUser, { params: { user: others.user.id }, body });
    await assert.rejects(request(others.young, others.identity), refusedWith('forbidden'));
  });
});
