import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { gathered } from './gathered.ts';

async function* bodyOf(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

describe('a gathered body', () => {
  it('is the same bytes in fewer pieces, however they came', async () => {
    const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, i) => (i * 7) % 251));
    const sizes = fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(sizes, async (cut) => {
        const pieces: Buffer[] = [];
        for await (const piece of gathered(bodyOf(bytes, cut))) pieces.push(Buffer.from(piece));
        assert.deepEqual(
          pieces.map(({ length }) => length),
          [262_144, 262_144, 175_712],
        );
        assert.ok(Buffer.concat(pieces).equals(bytes));
      }),
      { numRuns: 20 },
    );
  });

  it('is nothing when nothing comes', async () => {
    for await (const _ of gathered(bodyOf(Buffer.alloc(0), [0, 0]))) assert.fail('a piece of nothing');
  });

  it('breaks where the body breaks', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(300_000);
      throw new Error('the line was cut');
    }
    let bytes = 0;
    const read = async () => {
      for await (const piece of gathered(broken())) bytes += piece.length;
    };
    await assert.rejects(read(), /the line was cut/);
    assert.equal(bytes, 262_144);
  });
});
