import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { baseUrl, formatEnrolment, parseEnrolment } from './enrolment-string.ts';
import { ProtocolError } from './errors.ts';

const hexDigit = fc.constantFrom(...'0123456789abcdef');
const keyDigit = fc.constantFrom(...'23456789ABCDEFGHJKMNPQRSTUVWXYZ');
const group = fc.string({ unit: keyDigit, minLength: 4, maxLength: 4 });
const enrolment = fc.record(
  {
    host: fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((a) => a.toLowerCase()),
      fc.constant('localhost'),
    ),
    port: fc.integer({ min: 1, max: 65535 }),
    caFingerprint: fc.string({ unit: hexDigit, minLength: 64, maxLength: 64 }),
    registrationKey: fc.array(group, { minLength: 4, maxLength: 4 }).map((groups) => groups.join('-')),
  },
  { noNullPrototype: true },
);

test('an enrolment string reads back as what it was made of, with white space around it', () => {
  fc.assert(
    fc.property(enrolment, (e) => {
      assert.deepEqual(parseEnrolment(` ${formatEnrolment(e)}\n`), { ...e, host: e.host.toLowerCase() });
    }),
  );
});

test('anything else is refused with advice', () => {
  const good = `holdfast1:backup.example.org:4285:${'a'.repeat(64)}:ABCD-EFGH-JKMN-PQRS`;
  parseEnrolment(good);
  const bad = [
    '',
    good.slice(0, -1),
    good.replace('holdfast1', 'holdfast2'),
    good.replace('4285', '0'),
    good.replace('4285', '65536'),
    good.replace('aaaa', 'AAAA'),
    good.replace('backup.example.org', 'user@backup.example.org'),
    `${good} ${good}`,
  ];
  for (const line of bad) {
    assert.throws(
      () => parseEnrolment(line),
      (e) => e instanceof ProtocolError && e.code === 'enrolment_string_invalid',
      line,
    );
  }
});

test('the base URL brackets an IPv6 address', () => {
  assert.equal(baseUrl({ host: '::1', port: 4285 }), 'https://[::1]:4285');
  assert.equal(baseUrl({ host: 'localhost', port: 4285 }), 'https://localhost:4285');
});
