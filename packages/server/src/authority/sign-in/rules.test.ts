import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  delayAfter,
  FORGET_MS,
  networkOf,
  SESSION_IDLE_MS,
  SESSION_MAX_MS,
  sessionEnd,
  usernameKey,
  waitFor,
} from './rules.ts';

const kind = fc.constantFrom('pair' as const, 'name' as const, 'address' as const);
const failures = fc.nat(10_000);

test('more failures never make the wait shorter, and it stays bounded', () => {
  fc.assert(
    fc.property(kind, failures, (k, n) => {
      assert.ok(delayAfter(k, n + 1) >= delayAfter(k, n));
      assert.ok(delayAfter(k, n) <= 15 * 60_000);
    }),
  );
});

test('a few slips cost nothing; guessing one name from one address soon costs a quarter of an hour a try', () => {
  assert.equal(delayAfter('pair', 4), 0);
  assert.equal(delayAfter('pair', 5), 1_000);
  assert.equal(delayAfter('pair', 30), 15 * 60_000);
});

test('an attack from elsewhere does not lock a user out for more than a minute', () => {
  fc.assert(
    fc.property(failures, failures, (name, address) => {
      const counts = [
        { kind: 'pair' as const, failures: 0, last: 0 },
        { kind: 'name' as const, failures: name, last: 1_000 },
        { kind: 'address' as const, failures: address, last: 1_000 },
      ];
      assert.ok(waitFor(counts, 1_000) <= 60_000);
    }),
  );
});

test('the longest wait counts, and what is old is forgotten', () => {
  const counts = [
    { kind: 'pair' as const, failures: 6, last: 10_000 },
    { kind: 'name' as const, failures: 3, last: 10_000 },
  ];
  assert.equal(waitFor(counts, 10_500), 1_500);
  assert.equal(waitFor(counts, 12_000), 0);
  assert.equal(waitFor([{ kind: 'pair', failures: 999, last: 0 }], FORGET_MS + 1), 0);
});

test('a session lives on with use, but not for ever', () => {
  fc.assert(
    fc.property(fc.nat(SESSION_MAX_MS * 2), (age) => {
      const end = sessionEnd({ created: 0 }, age);
      assert.ok(end <= SESSION_MAX_MS);
      assert.ok(end <= age + SESSION_IDLE_MS);
    }),
  );
});

test('user names compare without case and compatible forms', () => {
  assert.equal(usernameKey('Ada@Example.ORG'), 'ada@example.org');
  assert.equal(usernameKey('ａｄａ'), 'ada');
});

test('an IPv4 address stands for itself, also when it comes over IPv6', () => {
  assert.equal(networkOf('192.0.2.7'), '192.0.2.7');
  assert.equal(networkOf('::ffff:192.0.2.7'), '192.0.2.7');
});

test('all addresses of one IPv6 network are one, however they are written', () => {
  assert.equal(networkOf('2001:db8:1:2::1'), '2001:db8:1:2::/64');
  assert.equal(networkOf('2001:0DB8:0001:0002:ffff:ffff:ffff:ffff'), '2001:db8:1:2::/64');
  assert.equal(networkOf('2001:db8::5'), '2001:db8:0:0::/64');
  assert.equal(networkOf('::1'), '0:0:0:0::/64');
  const group = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      assert.equal(networkOf(groups.join(':')), `${groups.slice(0, 4).join(':')}::/64`);
    }),
  );
});
