import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { onBothDatabases } from '../../database/testing/both.ts';
import { refusedWith } from '../../testing/refused.ts';
import { enrolment, startTestServer, type TestServer } from '../../testing/test-server.ts';
import { inTransaction } from '../context.ts';
import { newAgeKey } from '../keyring/age.ts';
import { newSigningKey } from '../keyring/signing-key.ts';
import { findUser } from '../users/store.ts';
import { prepareOwnPassword } from './own-password.ts';
import { createPasswords } from './passwords.ts';

onBothDatabases('a password of one’s own', (fresh) => {
  let t: TestServer;
  let count = 0;
  before(async () => {
    t = await startTestServer({ database: await fresh() });
  });
  after(() => t.close());

  const newUser = (roles?: readonly string[]) => t.addUser(`user${count++}@example.org`, roles);
  const tryToSignIn = (username: string, password: string) =>
    t.client().call(identityRoutes.signIn, { body: { username, password } });

  test('a one-time password enrols one device, and only together with a password of one’s own', async () => {
    const user = await t.addNewcomer('newcomer');
    const next = 'a password of my own';
    const enrol = async (password: string, newPassword?: string) => {
      const registrationKey = await t.registrationKey();
      const { body } = await enrolment({ registrationKey, username: user.username, password, name: 'laptop' });
      return t.client().call(enrolmentRoutes.enrol, { body: { ...body, ...(newPassword && { newPassword }) } });
    };
    await assert.rejects(enrol(user.password), refusedWith('password_change_required'));
    await assert.rejects(enrol(user.password, 'short'), refusedWith('password_too_weak'));
    await assert.rejects(enrol(user.password, user.password), refusedWith('password_too_weak'));
    const atOnce = await Promise.allSettled([enrol(user.password, next), enrol(user.password, `${next}!`)]);
    const [enrolled] = atOnce.filter((each) => each.status === 'fulfilled');
    const [late] = atOnce.filter((each) => each.status === 'rejected');
    assert.ok(enrolled && late && refusedWith('sign_in_failed')(late.reason));
    assert.equal(enrolled.value.user.mustChangePassword, false);
    const own = atOnce[0] === enrolled ? next : `${next}!`;
    await assert.rejects(enrol(user.password, own), refusedWith('sign_in_failed'));
    const device = t.client(enrolled.value.credential);
    const { devices } = await device.call(deviceRoutes.siblings, {});
    assert.equal(devices.length, 1, 'what was refused left nothing');
    await enrol(own);
  });

  test('of two changes that began with the same password only the first is made', async () => {
    const { context } = t.server.foundation;
    const { id, password } = await newUser();
    const user = await findUser(context.database.kysely, id);
    assert.ok(user);
    const passwords = createPasswords(context.random, { memoryKib: 64, passes: 1 });
    const change = (next: string) => prepareOwnPassword(context, passwords, user, { current: password, next });
    const [first, second] = await Promise.all([change('chosen by one'), change('chosen by another')]);
    await inTransaction(context, first);
    await assert.rejects(inTransaction(context, second), refusedWith('sign_in_failed'));
    await tryToSignIn(user.username, 'chosen by one');
  });

  test('a device changes its user’s password: the old one and all sessions are over, the device goes on', async () => {
    const user = await newUser();
    const session = await t.signIn(user);
    const { client } = await t.enrol(user);
    const change = (current: string, next: string) =>
      client.call(deviceRoutes.changePassword, { body: { current, next } });
    await assert.rejects(change('wrong', 'another password'), refusedWith('sign_in_failed'));
    await assert.rejects(change(user.password, user.password), refusedWith('password_too_weak'));
    await change(user.password, 'another password');
    await assert.rejects(session.call(identityRoutes.session, {}), refusedWith('unauthenticated'));
    await assert.rejects(tryToSignIn(user.username, user.password), refusedWith('sign_in_failed'));
    await tryToSignIn(user.username, 'another password');
    await client.call(deviceRoutes.context, {});
  });

  test('a password that somebody else set raises no key level', async () => {
    const user = await newUser();
    const { client } = await t.enrol(user);
    const admin = await t.signIn(await newUser(['sysadmin']));
    const { oneTimePassword } = await admin.call(identityRoutes.resetPassword, { params: { user: user.id } });
    const identity = { recipient: (await newAgeKey()).recipient, signingKey: newSigningKey().publicKey };
    const change = { level: 'custom-key' as const, previous: identity, identity, keptFrom: [] };
    const body = { ...change, password: oneTimePassword };
    await assert.rejects(client.call(deviceRoutes.renewIdentity, { body }), refusedWith('password_change_required'));
  });
});
