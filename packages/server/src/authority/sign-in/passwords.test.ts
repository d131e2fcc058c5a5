import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { refusedWith } from '../../testing/refused.ts';
import { checkNewPassword, createPasswords, newOneTimePassword, newRegistrationKey } from './passwords.ts';

const random = (n: number) => randomBytes(n);
const cheap = createPasswords(random, { memoryKib: 64, passes: 1 });

test('a password verifies against its own hash only', async () => {
  const stored = await cheap.hash('correct horse');
  assert.match(stored, /^\$argon2id\$v=19\$m=64,t=1,p=1\$/);
  assert.deepEqual(await cheap.verify('correct horse', stored), { ok: true, outdated: false });
  assert.deepEqual(await cheap.verify('correct house', stored), { ok: false, outdated: false });
  assert.notEqual(await cheap.hash('correct horse'), stored);
});

test('two ways to type the same letter are one password', async () => {
  const stored = await cheap.hash('caf\u00e9 au lait');
  assert.equal((await cheap.verify('cafe\u0301 au lait', stored)).ok, true);
});

test('a hash of another cost still verifies, and asks to be renewed', async () => {
  const stored = await cheap.hash('correct horse');
  const dearer = createPasswords(random, { memoryKib: 128, passes: 1 });
  assert.deepEqual(await dearer.verify('correct horse', stored), { ok: true, outdated: true });
});

test('without a user, or with a hash that is none, nothing verifies', async () => {
  assert.equal((await cheap.verify('', null)).ok, false);
  assert.equal((await cheap.verify('x', 'x')).ok, false);
});

test('a crowd is told to come back instead of filling the memory', async () => {
  const results = await Promise.allSettled(Array.from({ length: 80 }, () => cheap.verify('x', null)));
  const refused = results.filter((r) => r.status === 'rejected');
  assert.equal(refused.length, 80 - 66);
  for (const { reason } of refused) assert.ok(refusedWith('busy')(reason));
  assert.equal((await cheap.verify('x', null)).ok, false);
});

test('the hash in use is the published one', async () => {
  // The reference implementation's own vector; those of RFC 9106 need a secret and associated data
  const stored = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  assert.deepEqual(await createPasswords(random).verify('password', stored), { ok: true, outdated: false });
});

test('made-up passwords and keys have their form and do not repeat', () => {
  const made = Array.from({ length: 1000 }, () => [newOneTimePassword(random), newRegistrationKey(random)]);
  for (const [password = '', key = ''] of made) {
    assert.match(password, /^[a-km-np-z2-9]{4}(-[a-km-np-z2-9]{4}){3}$/);
    assert.match(key, /^[A-HJ-NP-Z2-9]{4}(-[A-HJ-NP-Z2-9]{4}){3}$/);
  }
  assert.equal(new Set(made.flat()).size, 2000);
});

test('a new password must be long, and not the user name', () => {
  checkNewPassword('ten letter', 'ada');
  assert.throws(() => checkNewPassword('nine char', 'ada'), refusedWith('password_too_weak'));
  assert.throws(() => checkNewPassword('Ada@Example.org', 'ada@example.org'), refusedWith('password_too_weak'));
});
