import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../../format/ids.ts';
import { ChunkIndex } from './chunk-index.ts';

/** Ids that meet in few slots, some equal in all of the first 12 bytes. */
const someId = fc.tuple(fc.nat(3), fc.nat(3)).map(([first, last]) => {
  const id = new Uint8Array(32);
  id[0] = first;
  id[15] = last;
  return id;
});

const someStep = fc.record({ id: someId, pack: fc.nat(2), offset: fc.nat(2), lost: fc.boolean() });

describe('the index of chunks', () => {
  it('answers as a map of lists would', () => {
    fc.assert(
      fc.property(fc.array(someStep, { maxLength: 60 }), (steps) => {
        const index = new ChunkIndex();
        const model = new Map<string, Map<string, boolean>>();
        for (const { id, pack, offset, lost } of steps) {
          const rows = model.get(toHex(id)) ?? new Map<string, boolean>();
          model.set(toHex(id), rows.set(`${pack} ${offset}`, lost));
          index.setLost(index.add(id, pack, offset, 7, 4), lost);
        }
        assert.equal(
          index.size,
          [...model.values()].reduce((sum, rows) => sum + rows.size, 0),
        );
        for (const [hex, rows] of model) {
          const id = Uint8Array.fromHex(hex);
          const numbers = index.rowsOf(id);
          const found = numbers.map((number) => [
            `${index.row(number).pack} ${index.row(number).offset}`,
            index.isLost(number),
          ]);
          assert.deepEqual(found, [...rows]);
          assert.equal(index.has(id), [...rows.values()].includes(false));
          for (const number of numbers) {
            assert.deepEqual(index.row(number), { ...index.row(number), length: 7, kind: 4 });
            assert.equal(toHex(index.prefix(number)), hex.slice(0, 32));
          }
        }
        assert.deepEqual(index.rowsOf(new Uint8Array(32).fill(9)), []);
      }),
    );
  });

  it('takes back that a location was lost when it is added again', () => {
    const index = new ChunkIndex();
    const id = new Uint8Array(32).fill(1);
    const number = index.add(id, 1, 2, 3, 4);
    index.setLost(number, true);
    assert.equal(index.has(id), false);
    assert.equal(index.add(id, 1, 2, 3, 4), number);
    assert.equal(index.has(id), true);
  });

  it('holds the largest numbers there are', () => {
    const index = new ChunkIndex();
    const id = new Uint8Array(32).fill(0xff);
    const row = { pack: 0xffffffff, offset: 33_554_431, length: 0xffffffff, kind: 9 };
    const number = index.add(id, row.pack, row.offset, row.length, row.kind);
    index.setLost(number, true);
    assert.deepEqual(index.row(number), row);
  });

  it('takes at most 40 bytes for a chunk, just before and just after it grows', () => {
    const index = new ChunkIndex();
    const ids = randomFillSync(new Uint8Array(32 * 400_000));
    let worst = 0;
    for (let i = 0; i < 400_000; i++) {
      index.add(ids.subarray(32 * i, 32 * i + 32), i >> 4, i & 15, 1, 1);
      if (i >= 200_000) worst = Math.max(worst, index.byteLength / index.size);
    }
    assert.ok(worst <= 40, `${worst} bytes`);
    for (let i = 0; i < 400_000; i += 997) {
      const [number] = index.rowsOf(ids.subarray(32 * i, 32 * i + 32));
      assert.equal(index.row(number as number).pack, i >> 4);
    }
  });
});
