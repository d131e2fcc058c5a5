import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareBytes, equalBytes, fromHex, idsAscend, toHex } from './ids.ts';

describe('ids', () => {
  it('gives bytes back from their hex', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(fromHex(toHex(bytes)), bytes)));
  });

  for (const text of ['A0', '0', 'zz', ' 00', '0x00'])
    it(`refuses ${JSON.stringify(text)}: one id has one name`, () =>
      assert.throws(() => fromHex(text), { code: 'format_invalid' }));

  it('compares bytewise, as Buffer.compare does', () => {
    const short = fc.uint8Array({ maxLength: 3, max: 2 });
    fc.assert(
      fc.property(short, short, (a, b) => {
        assert.equal(Math.sign(compareBytes(a, b)), Buffer.compare(a, b));
        assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0);
      }),
    );
  });

  it('knows whether ids ascend, repeated ones not', () => {
    const id = fc.constantFrom(0, 1, 2, 255).map((n) => new Uint8Array(32).fill(n, 31));
    fc.assert(
      fc.property(fc.array(id, { maxLength: 4 }), (ids) => {
        const ascend = ids.every((b, i) => i === 0 || Buffer.compare(ids[i - 1] as Uint8Array, b) < 0);
        assert.equal(idsAscend(Buffer.concat(ids)), ascend);
      }),
    );
  });
});
