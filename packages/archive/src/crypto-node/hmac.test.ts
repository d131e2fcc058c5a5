import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HmacKey } from './hmac.ts';

describe('HMAC', () => {
  it('is that of node:crypto, for short and long messages, whole and in two parts', () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 64 });
    const length = fc.oneof(fc.nat(300), fc.constantFrom(16_383, 16_384, 16_385, 40_000));
    fc.assert(
      fc.property(key, fc.uint8Array({ maxLength: 200 }), length, fc.nat(255), (secret, first, rest, fill) => {
        const second = Buffer.alloc(rest, fill);
        const made = new HmacKey(secret);
        const wanted = createHmac('sha256', secret).update(first).update(second).digest();
        assert.deepEqual(made.mac(first, second), wanted);
        assert.deepEqual(made.mac(Buffer.concat([first, second])), wanted);
      }),
    );
  });

  it('refuses a key that would have to be hashed first', () => {
    assert.throws(() => new HmacKey(Buffer.alloc(65)), RangeError);
  });
});
