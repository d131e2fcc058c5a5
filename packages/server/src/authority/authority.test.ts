import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import type { ProtocolError } from '@holdfast/protocol/errors.ts';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { storageRoutes } from '@holdfast/protocol/storage-routes.ts';
import { onBothDatabases } from '../database/testing/both.ts';
import { archiveWorld } from '../testing/archive-world.ts';
import { refusedWith } from '../testing/refused.ts';
import { enrolment, startTestServer, type TestDevice, type TestServer } from '../testing/test-server.ts';
import { verifyChain } from './audit/audit.ts';
import { openWith } from './keyring/age.ts';
import { capabilityVerifier } from './keyring/capability-signer.ts';
import { beginAttempt } from './sign-in/attempts.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

onBothDatabases('authority', (fresh) => {
  let t: TestServer;
  let now = Date.UTC(2026, 5, 1);
  let count = 0;
  before(async () => {
    t = await startTestServer({ database: await fresh(), now: () => now });
  });
  after(() => t.close());

  const newUser = (roles?: readonly string[]) => {
    count += 1;
    return t.addUser(`user${count}@example.org`, roles);
  };
  const signInBody = (username: string, password: string) => ({ body: { username, password } });
  const tryToSignIn = (username: string, password: string) =>
    t.client().call(identityRoutes.signIn, signInBody(username, password));
  const auditActions = async (about: string) => {
    const admin = await t.signIn(await newUser(['sysadmin']));
    const { entries } = await admin.call(identityRoutes.audit, { query: { limit: 200 } });
    return entries.filter((e) => e.target === about || e.actor === about).map((e) => e.action);
  };

  const { makeIdentity, escrowed, register, withArchive } = archiveWorld(() => t, newUser);

  test('a user signs in, is recognized, and is forgotten after signing out', async () => {
    const user = await newUser();
    const client = await t.signIn(user);
    const session = await client.call(identityRoutes.session, {});
    assert.equal(session.user.username, user.username);
    assert.deepEqual(session.user.roles, ['console-user', 'desktop-user']);
    assert.ok(session.permissions.includes('cpd.login'));
    await client.call(identityRoutes.signOut, {});
    await assert.rejects(client.call(identityRoutes.session, {}), refusedWith('unauthenticated'));
  });

  test('a user without the right to the console gets no session, and devices all the same', async () => {
    const user = await newUser(['desktop-user']);
    await assert.rejects(tryToSignIn(user.username, user.password), (error: ProtocolError) => {
      assert.deepEqual([error.code, error.data], ['forbidden', { permission: 'console.login' }]);
      return true;
    });
    await t.enrol(user);
  });

  test('user names are one whatever their case', async () => {
    const user = await newUser();
    assert.equal((await tryToSignIn(user.username.toUpperCase(), user.password)).user.id, user.id);
  });

  test('a wrong password and an unknown user get the same answer', async () => {
    const user = await newUser();
    const [wrong, unknown] = await Promise.all(
      [user.username, 'nobody@example.org'].map((name) =>
        tryToSignIn(name, 'not the password').then(
          () => assert.fail('signed in'),
          (error: ProtocolError) => [error.status, error.code, error.message, error.data],
        ),
      ),
    );
    assert.deepEqual(wrong, unknown);
    assert.equal(wrong?.[1], 'sign_in_failed');
  });

  test('a session ends when it is not used, and a used one lives on', async () => {
    const client = await t.signIn(await newUser());
    for (let i = 0; i < 3; i++) {
      now += 11 * HOUR;
      await client.call(identityRoutes.session, {});
    }
    now += 13 * HOUR;
    await assert.rejects(client.call(identityRoutes.session, {}), refusedWith('unauthenticated'));
  });

  test('guessing is slowed down more and more, also for the right password, and that wears off', async () => {
    const user = await newUser();
    for (let i = 0; i < 5; i++)
      await assert.rejects(tryToSignIn(user.username, `guess ${i}`), refusedWith('sign_in_failed'));
    const waits: number[] = [];
    for (let i = 0; i < 3; i++) {
      await assert.rejects(tryToSignIn(user.username, user.password), (error: ProtocolError) => {
        assert.equal(error.code, 'too_many_attempts');
        waits.push(error.retryAfterMs ?? 0);
        return true;
      });
      now += waits.at(-1) ?? 0;
      await assert.rejects(tryToSignIn(user.username, 'another guess'), refusedWith('sign_in_failed'));
    }
    assert.deepEqual(waits, [1_000, 2_000, 4_000]);
    now += HOUR;
    await tryToSignIn(user.username, user.password);
  });

  test('many guesses at the same moment do not slip through', async () => {
    const user = await newUser();
    const guesses = Array.from({ length: 20 }, (_, i) => tryToSignIn(user.username, `guess ${i}`));
    const codes = (await Promise.allSettled(guesses)).map((r) => (r.status === 'rejected' ? r.reason.code : 'in'));
    assert.equal(codes.filter((code) => code === 'sign_in_failed').length, 5);
    assert.equal(codes.filter((code) => code === 'too_many_attempts').length, 15);
    now += HOUR;
  });

  test('a user is not locked out, where they have signed in before, by strangers who guess elsewhere', async () => {
    const user = await newUser();
    const context = { ...t.server.foundation.context };
    await tryToSignIn(user.username, user.password);
    for (let i = 0; i < 25; i++) {
      const strange = beginAttempt(context, user.username, `192.0.2.${i}`);
      if (i < 20) await strange;
      else await assert.rejects(strange, refusedWith('too_many_attempts'));
    }
    await tryToSignIn(user.username, user.password);
    now += HOUR;
  });

  test('a one-time password opens nothing but the way to a password of one’s own', async () => {
    const admin = await t.signIn(await newUser(['sysadmin']));
    const { user, oneTimePassword } = await admin.call(identityRoutes.createUser, {
      body: { username: 'grace@example.org', roles: ['sysadmin'] },
    });
    assert.equal(user.mustChangePassword, true);
    const password = oneTimePassword ?? '';
    const client = await t.signIn({ username: user.username, password });
    await assert.rejects(client.call(identityRoutes.users, {}), refusedWith('password_change_required'));
    const change = (current: string, next: string) =>
      client.call(identityRoutes.changePassword, { body: { current, next } });
    await assert.rejects(change(password, 'short'), refusedWith('password_too_weak'));
    await assert.rejects(change(password, password), refusedWith('password_too_weak'));
    await assert.rejects(change('wrong', 'long enough password'), refusedWith('sign_in_failed'));
    await change(password, 'long enough password');
    await client.call(identityRoutes.users, {});
    await assert.rejects(tryToSignIn(user.username, password), refusedWith('sign_in_failed'));
  });

  test('a changed password ends the other sessions, not this one', async () => {
    const user = await newUser();
    const [here, there] = [await t.signIn(user), await t.signIn(user)];
    await here.call(identityRoutes.changePassword, { body: { current: user.password, next: 'another password' } });
    await here.call(identityRoutes.session, {});
    await assert.rejects(there.call(identityRoutes.session, {}), refusedWith('unauthenticated'));
  });

  test('an administrator of users cannot make anybody, themselves included, more than they are', async () => {
    const own = await newUser(['org-admin', 'console-user']);
    const client = await t.signIn(own);
    const admin = await newUser(['sysadmin']);
    const created = await client.call(identityRoutes.createUser, { body: { username: `of-${own.username}` } });
    assert.deepEqual(created.user.roles, ['console-user', 'desktop-user']);
    const update = (user: string, roles: string[]) =>
      client.call(identityRoutes.updateUser, { params: { user }, body: { roles } });
    await assert.rejects(update(own.id, ['sysadmin']), refusedWith('forbidden'));
    await assert.rejects(update(admin.id, []), refusedWith('forbidden'));
    const reset = client.call(identityRoutes.resetPassword, { params: { user: admin.id } });
    await assert.rejects(reset, refusedWith('forbidden'));
    const body = { username: 'evil@example.org', roles: ['server-administrator'] };
    await assert.rejects(client.call(identityRoutes.createUser, { body }), refusedWith('forbidden'));
    await assert.rejects(update(created.user.id, ['no such role']), refusedWith('not_found'));
  });

  test('users are listed page by page, each once', async () => {
    for (let i = 0; i < 5; i++) await newUser();
    const admin = await t.signIn(await newUser(['sysadmin']));
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await admin.call(identityRoutes.users, { query: { limit: 3, after } });
      seen.push(...page.items.map((u) => u.id));
      after = page.next ?? undefined;
    } while (after !== undefined);
    assert.equal(new Set(seen).size, seen.length);
    const all = await admin.call(identityRoutes.users, { query: { limit: 1000 } });
    assert.deepEqual(
      seen,
      all.items.map((u) => u.id),
    );
  });

  test('a taken user name is refused, in any case', async () => {
    const { username } = await newUser();
    const admin = await t.signIn(await newUser(['sysadmin']));
    const body = { username: username.toUpperCase() };
    await assert.rejects(admin.call(identityRoutes.createUser, { body }), refusedWith('username_taken'));
  });

  test('enrolment gives a credential that says who the device is', async () => {
    const user = await newUser();
    const device = await t.enrol(user, 'laptop of Ada');
    assert.match(device.device.guid, /^\d{18,19}$/);
    const { credential, client: _, key: __, age: ___, ...context } = device;
    assert.deepEqual(await device.client.call(deviceRoutes.context, {}), context);
    assert.equal(context.archive.state, 'missing');
    assert.equal(context.user.username, user.username);
    assert.equal(context.server.id, t.server.foundation.keystore.serverId);
    const rows = await t.server.foundation.context.database.kysely.selectFrom('devices').selectAll().execute();
    assert.ok(rows.every((row) => !JSON.stringify(row).includes(credential)));
    assert.deepEqual(await auditActions(`device:${device.device.id}`), ['device.enrolled']);
  });

  test('enrolment needs the registration key, the password, the right to back up, and the key it names', async () => {
    const user = await newUser();
    const registrationKey = await t.registrationKey();
    const request = { registrationKey, ...user, name: 'laptop' };
    const enrol = async (change: Partial<typeof request>, edit = (body: Record<string, unknown>) => body) => {
      const { body } = await enrolment({ ...request, ...change });
      return t.client().call(enrolmentRoutes.enrol, { body: edit(body) as typeof body });
    };
    await assert.rejects(enrol({ registrationKey: 'AAAA-BBBB-CCCC-DDDD' }), refusedWith('registration_key_invalid'));
    await assert.rejects(enrol({ password: 'wrong' }), refusedWith('sign_in_failed'));
    await assert.rejects(enrol(await newUser(['console-user'])), refusedWith('forbidden'));
    const other = (await enrolment(request)).body.device.publicKey;
    const swapped = enrol({}, (body) => ({ ...body, device: { ...(body.device as object), publicKey: other } }));
    await assert.rejects(swapped, refusedWith('invalid_request'));
    await enrol({});
  });

  test('people sign up only where the organization lets them', async () => {
    const registrationKey = await t.registrationKey();
    const { body } = await enrolment({
      registrationKey,
      username: 'new@example.org',
      password: 'a long enough password',
      name: 'laptop',
    });
    const enrol = () => t.client().call(enrolmentRoutes.enrol, { body: { ...body, signUp: true } });
    await assert.rejects(enrol(), refusedWith('sign_up_closed'));
    const admin = await t.signIn(await newUser(['sysadmin']));
    await admin.call(identityRoutes.updateOrganization, { body: { signUp: true } });
    assert.equal((await enrol()).user.username, 'new@example.org');
    await assert.rejects(enrol(), refusedWith('username_taken'));
    await admin.call(identityRoutes.updateOrganization, { body: { signUp: false } });
  });

  test('a new registration key replaces the old one and leaves devices alone', async () => {
    const user = await newUser();
    const device = await t.enrol(user);
    const old = await t.registrationKey();
    const admin = await t.signIn(await newUser(['sysadmin']));
    const renewed = await admin.call(identityRoutes.renewRegistrationKey, {});
    assert.match(renewed.enrolmentString, new RegExp(`:${renewed.registrationKey}$`));
    const { body } = await enrolment({ registrationKey: old, ...user, name: 'x' });
    await assert.rejects(t.client().call(enrolmentRoutes.enrol, { body }), refusedWith('registration_key_invalid'));
    await device.client.call(deviceRoutes.context, {});
    await t.enrol(user);
  });

  test('a removed device is out at once, and told why', async () => {
    const { device, archive } = await withArchive();
    const { token } = await device.client.call(deviceRoutes.capability, { body: { purpose: 'backup' } });
    const admin = await t.signIn(await newUser(['sysadmin']));
    await admin.call(identityRoutes.revokeDevice, { params: { device: device.device.id } });
    await assert.rejects(device.client.call(deviceRoutes.context, {}), refusedWith('device_revoked'));
    const again = admin.call(identityRoutes.revokeDevice, { params: { device: device.device.id } });
    await assert.rejects(again, refusedWith('not_found'));
    const { keystore } = t.server.foundation;
    const verify = capabilityVerifier(
      { serverId: keystore.serverId, publicKey: keystore.capability.publicKey },
      () => now,
    );
    assert.equal((await verify(token)).archive, archive);
    const list = t.client(token).call(storageRoutes.keyFiles, { params: { archive } });
    await assert.rejects(list, refusedWith('capability_revoked'), 'though it has minutes left');
    const { items } = await admin.call(identityRoutes.devices, { query: { user: device.user.id } });
    assert.equal(items[0]?.removed, now);
  });

  test('a capability opens the archive it names and no other, and reading is not writing', async () => {
    const [mine, theirs] = [await withArchive(), await withArchive()];
    const { token } = await mine.device.client.call(deviceRoutes.capability, { body: { purpose: 'restore' } });
    const client = t.client(token);
    await client.call(storageRoutes.identityWraps, { params: { archive: mine.archive } });
    const other = client.call(storageRoutes.identityWraps, { params: { archive: theirs.archive } });
    await assert.rejects(other, refusedWith('forbidden'));
    const params = { archive: mine.archive, name: 'passphrase.age' };
    await assert.rejects(
      client.call(storageRoutes.putIdentityWrap, { params, body: Uint8Array.of(1) }),
      refusedWith('forbidden'),
    );
  });

  test('a device leaves by itself', async () => {
    const device = await t.enrol(await newUser());
    await device.client.call(deviceRoutes.leave, {});
    await assert.rejects(device.client.call(deviceRoutes.context, {}), refusedWith('device_revoked'));
  });

  test('settings hold the default set; a status report is shown to administrators', async () => {
    const user = await newUser();
    const device = await t.enrol(user);
    const settings = await device.client.call(deviceRoutes.settings, {});
    const [set] = settings.sets;
    assert.deepEqual(set?.roots, ['~']);
    assert.equal(set?.everyMinutes, 15);
    const status = {
      version: '4.1.6',
      settingsRevision: settings.revision,
      sets: [
        {
          set: set?.id ?? '',
          destination: device.destinations[0]?.id ?? '',
          state: 'idle' as const,
          reason: null,
          lastSnapshot: now,
          currentAt: now,
          filesPending: 0,
          bytesPending: 0,
        },
      ],
    };
    const reply = await device.client.call(deviceRoutes.status, { body: status });
    assert.equal(reply.settingsRevision, settings.revision);
    await device.client.call(deviceRoutes.describe, {
      body: { name: 'renamed', os: { platform: 'linux', release: '7', arch: 'x64' }, version: '4.1.6' },
    });
    const admin = await t.signIn(await newUser(['sysadmin']));
    const { items } = await admin.call(identityRoutes.devices, { query: { user: user.id } });
    assert.deepEqual(items[0]?.status, status);
    assert.equal(items[0]?.name, 'renamed');
  });

  test('the first device makes the archive; until it is ready no other one gets in', async () => {
    const user = await newUser();
    const first = await t.enrol(user, 'first');
    now += 1;
    const second = await t.enrol(user, 'second');
    const capability = (device: TestDevice) =>
      device.client.call(deviceRoutes.capability, { body: { purpose: 'backup' } });
    await assert.rejects(capability(first), refusedWith('archive_missing'));
    const identity = await makeIdentity();
    const archive = randomBytes(16).toString('hex');
    assert.equal((await register(first, archive, identity)).state, 'preparing');
    await assert.rejects(
      register(second, randomBytes(16).toString('hex'), await makeIdentity()),
      (e: ProtocolError) => {
        assert.equal(e.code, 'archive_exists');
        assert.equal(e.data?.archive, archive);
        return true;
      },
    );
    assert.equal((await capability(first)).archive, archive);
    await assert.rejects(capability(second), refusedWith('archive_not_ready'));
    await assert.rejects(second.client.call(deviceRoutes.identity, {}), refusedWith('archive_not_ready'));
    await assert.rejects(first.client.call(deviceRoutes.archiveReady, {}), refusedWith('key_wrap_missing'));
    await escrowed(first, archive, await makeIdentity());
    await assert.rejects(first.client.call(deviceRoutes.archiveReady, {}), refusedWith('key_wrap_unusable'));
    await escrowed(first, archive, identity);
    assert.equal((await first.client.call(deviceRoutes.archiveReady, {})).state, 'ready');
    assert.equal((await first.client.call(deviceRoutes.archiveReady, {})).state, 'ready');
    assert.equal((await capability(second)).archive, archive);
    await assert.rejects(register(first, archive, identity), refusedWith('archive_exists'));
    assert.equal((await second.client.call(deviceRoutes.context, {})).archive.id, archive);
    assert.deepEqual(
      (await second.client.call(deviceRoutes.siblings, {})).devices.map((d) => d.name),
      ['first', 'second'],
    );
  });

  test('of two first devices at the same moment exactly one makes the archive', async () => {
    const user = await newUser();
    const devices = [await t.enrol(user), await t.enrol(user)];
    const identity = await makeIdentity();
    const tries = devices.map((d) => register(d, randomBytes(16).toString('hex'), identity));
    const results = await Promise.allSettled(tries);
    assert.equal(results.filter((r) => r.status === 'fulfilled').length, 1);
    const lost = results.find((r) => r.status === 'rejected');
    assert.equal(lost?.reason.code, 'archive_exists');
  });

  test('when the first device is gone before it was ready, another one starts over', async () => {
    const user = await newUser();
    const [first, second] = [await t.enrol(user), await t.enrol(user)];
    await register(first, randomBytes(16).toString('hex'), await makeIdentity());
    const archive = randomBytes(16).toString('hex');
    const identity = await makeIdentity();
    await assert.rejects(register(second, archive, identity), refusedWith('archive_exists'));
    await first.client.call(deviceRoutes.leave, {});
    assert.equal((await register(second, archive, identity)).id, archive);
  });

  test('at level account a later device gets the identity, wrapped to itself, and that is in the audit log', async () => {
    const { user, identity, archive } = await withArchive();
    const later = await t.enrol(user, 'later');
    const wrap = await later.client.call(deviceRoutes.identity, {});
    const text = Buffer.from(await openWith(later.age.identity, wrap)).toString();
    assert.equal(text, identity.text);
    const actions = await auditActions(`archive:${archive}`);
    assert.deepEqual(actions, ['archive.identity_released', 'archive.ready', 'archive.registered']);
  });

  test('a device that stores another identity for escrow locks nobody out', async () => {
    const { user, device, identity, archive } = await withArchive();
    await escrowed(device, archive, await makeIdentity());
    const later = await t.enrol(user, 'later');
    const wrap = await later.client.call(deviceRoutes.identity, {});
    assert.equal(Buffer.from(await openWith(later.age.identity, wrap)).toString(), identity.text);
  });

  test('both backup and restore need the right to use the backup app', async () => {
    const { user, device } = await withArchive();
    const admin = await t.signIn(await newUser(['sysadmin']));
    const setRoles = (roles: string[]) =>
      admin.call(identityRoutes.updateUser, { params: { user: user.id }, body: { roles } });
    const capability = (purpose: 'backup' | 'restore' | 'check') =>
      device.client.call(deviceRoutes.capability, { body: { purpose } });
    await setRoles(['console-user']);
    await assert.rejects(device.client.call(deviceRoutes.identity, {}), refusedWith('forbidden'));
    for (const purpose of ['backup', 'restore', 'check'] as const) {
      await assert.rejects(capability(purpose), (error: ProtocolError) => {
        assert.equal(error.code, 'forbidden');
        assert.deepEqual(error.data, { permission: 'cpd.login' });
        return true;
      });
    }
    await setRoles(['desktop-user', 'console-user']);
    for (const purpose of ['backup', 'restore', 'check'] as const) await capability(purpose);
  });

  test('a blocked user cannot sign in or restore, but is still backed up', async () => {
    const { user, device } = await withArchive();
    const client = await t.signIn(user);
    const admin = await t.signIn(await newUser(['sysadmin']));
    const block = (state: 'active' | 'blocked') =>
      admin.call(identityRoutes.updateUser, { params: { user: user.id }, body: { state } });
    const capability = (purpose: 'backup' | 'restore') =>
      device.client.call(deviceRoutes.capability, { body: { purpose } });
    await block('blocked');
    await assert.rejects(client.call(identityRoutes.session, {}), refusedWith('unauthenticated'));
    await assert.rejects(tryToSignIn(user.username, user.password), refusedWith('user_blocked'));
    await assert.rejects(device.client.call(deviceRoutes.identity, {}), refusedWith('user_blocked'));
    await assert.rejects(capability('restore'), refusedWith('user_blocked'));
    await capability('backup');
    await block('active');
    await capability('restore');
  });

  test('a capability names device, key, archive and destination, and only destinations that exist', async () => {
    const { device, archive } = await withArchive();
    const [destination] = device.destinations;
    const reply = await device.client.call(deviceRoutes.capability, {
      body: { purpose: 'backup', destination: destination?.id },
    });
    assert.deepEqual(reply.destination, destination);
    assert.equal(reply.expires, Math.floor(now / 1000) * 1000 + 10 * MINUTE);
    const claims = await t.server.authority.verifyCapability(reply.token);
    assert.equal(claims.sub, device.device.id);
    assert.equal(claims.archive, archive);
    assert.equal(claims.destination, destination?.id);
    assert.deepEqual(claims.rights, ['read', 'write']);
    const elsewhere = device.client.call(deviceRoutes.capability, {
      body: { purpose: 'backup', destination: '0'.repeat(32) },
    });
    await assert.rejects(elsewhere, refusedWith('not_found'));
  });

  test('the audit log is one chain, and a changed or missing entry breaks it', async () => {
    const { kysely } = t.server.foundation.context.database;
    assert.ok((await verifyChain(kysely)) > 20);
    const changed = kysely.transaction().execute(async (trx) => {
      await trx.updateTable('audit').set({ actor: 'user:somebody else' }).where('sequence', '=', 5).execute();
      await verifyChain(trx);
    });
    await assert.rejects(changed, refusedWith('audit_broken'));
    const removed = kysely.transaction().execute(async (trx) => {
      const { sequence } = await trx.selectFrom('audit_head').selectAll().executeTakeFirstOrThrow();
      await trx.deleteFrom('audit').where('sequence', '=', sequence).execute();
      await verifyChain(trx);
    });
    await assert.rejects(removed, refusedWith('audit_broken'));
    await verifyChain(kysely);
  });

  test('the last administrator cannot be blocked', async () => {
    const { kysely } = t.server.foundation.context.database;
    const last = await newUser(['sysadmin']);
    await kysely.deleteFrom('user_roles').where('role', '=', 'sysadmin').where('user', '!=', last.id).execute();
    const client = await t.signIn(last);
    const update = (body: { state?: 'blocked'; roles?: string[] }) =>
      client.call(identityRoutes.updateUser, { params: { user: last.id }, body });
    await assert.rejects(update({ state: 'blocked' }), refusedWith('conflict'));
    await assert.rejects(update({ roles: ['desktop-user'] }), refusedWith('conflict'));
    assert.equal((await client.call(identityRoutes.session, {})).user.state, 'active');
  });
});
