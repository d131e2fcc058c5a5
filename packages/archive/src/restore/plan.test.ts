import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_GAP, MAX_READ, type PlacedChunk, planReads } from './plan.ts';

const packId = (n: number) => new Uint8Array(32).fill(n);

/** Chunks at places that do not overlap, in any order. */
const placed: fc.Arbitrary<PlacedChunk[]> = fc
  .array(
    fc.record({
      pack: fc.integer({ min: 0, max: 3 }),
      gap: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 * MAX_GAP })),
      length: fc.integer({ min: 77, max: 2 * MAX_READ }),
      order: fc.nat(),
    }),
    { maxLength: 60 },
  )
  .map((items) => {
    const ends = new Map<number, number>();
    const chunks = items.map(({ pack, gap, length, order }) => {
      const offset = (ends.get(pack) ?? 28) + gap;
      ends.set(pack, offset + length);
      return { packId: packId(pack), offset, length, order };
    });
    chunks.sort((a, b) => a.order - b.order);
    return chunks.map(({ packId: id, offset, length }, chunk) => ({ chunk, packId: id, offset, length }));
  });

describe('the reads that are planned', () => {
  it('hold every chunk once at its place, in few pieces, and no byte twice', () => {
    fc.assert(
      fc.property(placed, (chunks) => {
        const reads = planReads([...chunks]);
        const frames = reads.flatMap((read) => read.frames.map((frame) => ({ ...frame, read })));
        assert.deepEqual(
          frames.map(({ chunk }) => chunk).sort((a, b) => a - b),
          [...chunks.keys()],
        );
        for (const { chunk, at, length, read } of frames) {
          const wanted = chunks[chunk] as PlacedChunk;
          assert.deepEqual([read.packId, read.offset + at, length], [wanted.packId, wanted.offset, wanted.length]);
          assert.ok(at + length <= read.length);
        }
        for (const [index, read] of reads.entries()) {
          if (read.frames.length > 1) assert.ok(read.length <= MAX_READ);
          const last = read.frames.at(-1);
          assert.equal(read.length, (last?.at ?? 0) + (last?.length ?? 0));
          const next = reads[index + 1];
          if (next === undefined || next.packId[0] !== read.packId[0]) continue;
          const gap = next.offset - (read.offset + read.length);
          assert.ok(gap >= 0);
          const together = next.offset + (next.frames[0]?.length ?? 0) - read.offset;
          assert.ok(gap > MAX_GAP || together > MAX_READ, 'these could have been one read');
        }
      }),
    );
  });

  it('come in the order in which their packs are first needed', () => {
    const chunk = (n: number, pack: number, offset: number) => ({
      chunk: n,
      packId: packId(pack),
      offset,
      length: 100,
    });
    const reads = planReads([chunk(0, 7, 5000), chunk(1, 2, 28), chunk(2, 7, 28)]);
    assert.deepEqual(
      reads.map(({ packId: id, frames }) => [id[0], frames.map((frame) => frame.chunk)]),
      [
        [7, [2, 0]],
        [2, [1]],
      ],
    );
  });
});
