import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ArchiveError } from '../errors.ts';
import { CborReader, type CborValue, decode, encode } from './cbor.ts';
import { cborValue } from './testing/arbitrary.ts';
import { goldenJson, plain } from './testing/golden.ts';

const refuses = (bytes: Uint8Array): boolean => {
  try {
    decode(bytes);
    return false;
  } catch (error) {
    assert.ok(error instanceof ArchiveError, `${error}`);
    return error.code === 'format_invalid';
  }
};

describe('deterministic CBOR (format §1)', () => {
  for (const [hex, value] of goldenJson<[string, unknown][]>('cbor-valid.json')) {
    it(`reads ${hex} and writes it again`, () => {
      const decoded = decode(Uint8Array.fromHex(hex));
      assert.deepEqual(plain(decoded), plain(value));
      assert.equal(encode(decoded).toHex(), hex);
    });
  }

  for (const [hex, why] of goldenJson<[string, string][]>('cbor-invalid.json')) {
    it(`refuses ${hex}: ${why}`, () => assert.ok(refuses(Uint8Array.fromHex(hex))));
  }

  it('gives any value back', () => {
    fc.assert(
      fc.property(cborValue(4), (value) => assert.deepEqual(plain(decode(encode(value))), plain(value))),
      { numRuns: 1000 },
    );
  });

  it('has one encoding for one value: whatever it reads, it writes to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        if (!refuses(bytes)) assert.deepEqual(encode(decode(bytes)), bytes);
      }),
      { numRuns: 20_000 },
    );
  });

  it('refuses each beginning of an encoding', () => {
    fc.assert(
      fc.property(cborValue(3), (value) => {
        const bytes = encode(value);
        for (let end = 0; end < bytes.length; end++) assert.ok(refuses(bytes.subarray(0, end)));
      }),
    );
  });

  it('does not write what it would not read', () => {
    const deep = (depth: number): CborValue => (depth === 0 ? 0 : [deep(depth - 1)]);
    for (const value of [1.5, Number.NaN, 2 ** 53, -(2 ** 53), '\ud800', new Map([[-1, 0]]), deep(17)])
      assert.throws(() => encode(value), { code: 'value_invalid' });
    assert.deepEqual(decode(encode(deep(16))), deep(16));
  });

  it('skips optional keys and refuses the others it does not know', () => {
    const reader = (key: number) => {
      const r = new CborReader(encode(new Map([[key, [1, new Map([[0, 'x']])]]])), 'test');
      r.map();
      r.unknown(r.key(-1), 1);
      r.end();
    };
    for (const key of [128, 255, 2 ** 40]) reader(key);
    for (const key of [0, 127]) assert.throws(() => reader(key), { code: 'format_invalid' });
  });
});
