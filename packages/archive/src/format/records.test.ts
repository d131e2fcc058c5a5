// The small records: envelope, description, snapshot object, statements, receipt, tombstone, key file body, device list.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decode, encode } from './cbor.ts';
import { type DeviceList, decodeDeviceList, encodeDeviceList } from './device-list.ts';
import { decodeKeyFileBody, encodeKeyFileBody, type KeyFileBody } from './key-file.ts';
import { decodeReceipt, encodeReceipt } from './receipt.ts';
import {
  type Description,
  decodeDescription,
  decodeEnvelope,
  decodeSnapshotObject,
  type Envelope,
  encodeDescription,
  encodeEnvelope,
  encodeSnapshotObject,
} from './snapshot.ts';
import { decodeStatement, encodeStatement } from './statement.ts';
import { bytes } from './testing/arbitrary.ts';
import { GOLDEN, GOLDEN_KEYS, golden, goldenValue, plain } from './testing/golden.ts';
import { decodeTombstone, encodeTombstone } from './tombstone.ts';

const text = new Uint8Array(golden('identity.txt'));

/** The map in `record` with some keys set, or left out for undefined. */
function altered(record: Uint8Array, change: Record<number, unknown>): Uint8Array {
  const map = new Map(decode(record) as Map<number, unknown>);
  for (const [key, value] of Object.entries(change)) {
    if (value === undefined) map.delete(Number(key));
    else map.set(Number(key), value);
  }
  return encode(map as never);
}

const RECORDS: Record<
  string,
  { bytes: Uint8Array; value: object; read: (b: Uint8Array) => object; write: (v: never) => Uint8Array }
> = {};
for (const name of ['envelope-first.cbor', 'envelope-later.cbor'])
  RECORDS[name] = { bytes: golden(name), value: goldenValue(name), read: decodeEnvelope, write: encodeEnvelope };
for (const [name, read, write] of [
  ['receipt.cbor', decodeReceipt, encodeReceipt],
  ['tombstone.cbor', decodeTombstone, encodeTombstone],
  ['device-list.cbor', decodeDeviceList, encodeDeviceList],
] as const)
  RECORDS[name] = { bytes: decodeStatement(golden(name)).body, value: goldenValue(name), read, write };
RECORDS['description.cbor'] = {
  bytes: golden('description.cbor'),
  value: goldenValue('description.cbor'),
  read: decodeDescription,
  write: encodeDescription,
};
for (const generation of [1, 2]) {
  const name = `key-file-${generation}.body`;
  const { contentKeys, ...keys } = GOLDEN_KEYS;
  const value = { ...keys, ...goldenValue<object>(name), generation, contentKey: contentKeys.get(generation) };
  RECORDS[name] = { bytes: golden(name), value, read: decodeKeyFileBody, write: encodeKeyFileBody };
}

describe('golden records', () => {
  for (const [name, { bytes, value, read, write }] of Object.entries(RECORDS)) {
    it(`${name} is read and written again`, () => {
      assert.deepEqual(plain(read(bytes)), plain(value));
      assert.deepEqual(write(read(bytes) as never), bytes);
    });

    it(`${name} refuses an unknown key, allows one from 128 on, and refuses a later version`, () => {
      assert.throws(() => read(altered(bytes, { 100: 0 })), { code: 'format_invalid' });
      assert.deepEqual(plain(read(altered(bytes, { 128: 'later' }))), plain(value));
      assert.throws(() => read(altered(bytes, { 0: 2, 1: null })), { code: 'unknown_version' });
    });

    it(`${name} refuses a key that is missing or of another type`, () => {
      for (const key of (decode(bytes) as Map<number, unknown>).keys()) {
        if (key === 0 || name === 'envelope-later.cbor') continue;
        assert.throws(() => read(altered(bytes, { [key]: undefined })), { code: 'format_invalid' }, `without ${key}`);
        assert.throws(() => read(altered(bytes, { [key]: false })), { code: 'format_invalid' }, `false as ${key}`);
      }
    });
  }

  it('a snapshot object is read and written again', () => {
    for (const name of ['snapshot-first.cbor', 'snapshot-later.cbor']) {
      const { id: _, ...value } = goldenValue<{ id: Uint8Array }>(name);
      assert.deepEqual(plain(decodeSnapshotObject(golden(name))), plain(value));
      assert.deepEqual(encodeSnapshotObject(decodeSnapshotObject(golden(name))), golden(name));
    }
  });

  it('statements are written again to the same bytes', () => {
    for (const name of ['receipt.cbor', 'tombstone.cbor', 'device-list.cbor']) {
      assert.deepEqual(encodeStatement(decodeStatement(golden(name))), golden(name));
    }
    assert.deepEqual(new Uint8Array(decodeStatement(golden('receipt.cbor')).signer), GOLDEN.publicKeys.server);
  });
});

describe('envelope', () => {
  const envelope = goldenValue<Envelope>('envelope-first.cbor');
  const nullable = fc.option(bytes(32), { nil: null });

  it('gives any envelope back', () => {
    const fields = fc.record({ root: bytes(32), parent: nullable, deviceTime: fc.maxSafeNat(), partial: fc.boolean() });
    fc.assert(
      fc.property(fields, fc.integer({ min: 2 }), (changes, later) => {
        const e = { ...envelope, ...changes, sequence: changes.parent === null ? 1 : later };
        assert.deepEqual(plain(decodeEnvelope(encodeEnvelope(e))), plain(e));
      }),
    );
  });

  it('is the first of its chain exactly when it has no parent', () => {
    for (const wrong of [{ sequence: 0 }, { sequence: 2 }, { parent: envelope.root }])
      assert.throws(() => encodeEnvelope({ ...envelope, ...wrong }), { code: 'value_invalid' });
  });

  it('does not say that it is not partial', () => {
    assert.throws(() => decodeEnvelope(altered(golden('envelope-first.cbor'), { 10: false })), {
      code: 'format_invalid',
    });
  });
});

describe('description', () => {
  const description = goldenValue<Description>('description.cbor');

  it('gives any description back', () => {
    const skipped = fc.array(fc.record({ path: bytes(0, 9), reason: fc.string({ unit: 'grapheme' }) }));
    const fields = fc.record({ deviceName: fc.string({ unit: 'grapheme' }), paths: fc.array(bytes(0, 9)), skipped });
    fc.assert(
      fc.property(fields, (changes) => {
        const d = { ...description, ...changes, skippedCount: changes.skipped.length };
        assert.deepEqual(plain(decodeDescription(encodeDescription(d))), plain(d));
      }),
    );
  });

  it('lists at most 1,000 skipped entries, and never more than were skipped', () => {
    const skipped = (count: number) => Array.from({ length: count }, () => ({ path: text, reason: '' }));
    for (const wrong of [
      { skipped: skipped(1001), skippedCount: 1001 },
      { skipped: skipped(2), skippedCount: 1 },
    ])
      assert.throws(() => encodeDescription({ ...description, ...wrong }), { code: 'value_invalid' });
    encodeDescription({ ...description, skipped: skipped(1000), skippedCount: 1000 });
  });
});

describe('key file body and device list', () => {
  const { bytes: keyBytes, value } = RECORDS['key-file-1.body'] as { bytes: Uint8Array; value: object };
  const keyFile = value as KeyFileBody;

  it('refuses chunk parameters that no chunker could follow', () => {
    for (const params of [
      [0, 1, 2, 9, 9],
      [3, 2, 4, 9, 9],
      [1, 5, 4, 9, 9],
      [1, 2, 8_388_609, 9, 9],
      [1, 2, 3, 32, 9],
      [1, 2, 3, 8, 9],
      [1, 2, 3, 9, 0],
      [1, 2, 3, 9],
    ])
      assert.throws(() => decodeKeyFileBody(altered(keyBytes, { 6: params })), { code: 'format_invalid' });
  });

  it('refuses a recipient that is not hybrid', () => {
    for (const recipient of [
      'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
      'age1pq1',
      `${keyFile.recipient}q`,
      keyFile.recipient.toUpperCase(),
    ]) {
      assert.throws(() => encodeKeyFileBody({ ...keyFile, recipient }), { code: 'value_invalid' });
    }
  });

  it('refuses a device that is listed twice', () => {
    const list = goldenValue<DeviceList>('device-list.cbor');
    const [device] = list.devices;
    assert.throws(() => encodeDeviceList({ ...list, devices: [device, device] as never }), { code: 'value_invalid' });
  });
});

describe('tombstone', () => {
  it('refuses a reason it does not know', () => {
    const body = decodeStatement(golden('tombstone.cbor')).body;
    assert.throws(() => decodeTombstone(altered(body, { 8: 'because' })), { code: 'format_invalid' });
  });
});
