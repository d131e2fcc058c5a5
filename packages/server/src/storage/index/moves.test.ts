import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import { onBothDatabases } from '../../database/testing/both.ts';
import { condemn, deleteCondemned, locateChunks } from './chunks.ts';
import { markLost } from './lost.ts';
import { moveChunks } from './moves.ts';
import { findPack, updatePack } from './packs.ts';
import { placesOf } from './places.ts';
import { prefixOf } from './prefix.ts';
import { LOST } from './tables.ts';
import { addPack, chunkId, flags, frame, ids, keys, onIndex } from './testing/index-fixture.ts';
import { countWrongRows } from './wrong-rows.ts';

onBothDatabases('locations that move', (fresh) => {
  const withIndex = onIndex(fresh);

  test('a location moves with its label and its loss; one that is gone stays gone', () =>
    withIndex(async (index, archive) => {
      const old = await index.write((on) => addPack(on, archive, [frame(1), frame(2), frame(3), frame(4)]));
      const to = await index.write((on) => addPack(on, archive, []));
      await index.write(async (on) => {
        await condemn(on, archive, keys(old.number, 2, 4), 2);
        await markLost(on, archive, keys(old.number, 3), 'reported', 5);
        await deleteCondemned(on, archive, keys(old.number, 4), 2);
        const moves = [1, 2, 3, 4].map((n) => ({ prefix: prefixOf(chunkId(n)), from: old.number, offset: 1000 + n }));
        await moveChunks(on, archive, to.number, moves);
      });
      const found = await index.read((on) => locateChunks(on, archive, ids(1, 2, 3, 4)));
      assert.deepEqual(
        found.map((f) => f && [f.pack, f.offset, f.lost]),
        [[to.number, 1001, LOST.no], [to.number, 1002, LOST.no], [to.number, 1003, LOST.self], null],
      );
      assert.deepEqual(await flags(index, archive, 2, 1, 2, 3), [1, 0, 0]);
      const packs = await index.read((on) => Promise.all([old, to].map((p) => findPack(on, archive, p.id))));
      assert.deepEqual(
        packs.map((pack) => [pack?.rows, pack?.bytes]),
        [
          [0, 0],
          [3, 300],
        ],
      );
    }));

  test('of two rows of one frame the better one is left, and the id is present for the same sessions as before', () =>
    withIndex(async (index, archive) => {
      const states = [LOST.no, LOST.self, LOST.below].flatMap((lost) => [0, 2, 3].map((label) => ({ lost, label })));
      const pairs = states.flatMap((a) => states.map((b) => [a, b] as const));
      const numbers = pairs.map((_, n) => n);
      const old = await index.write((on) =>
        addPack(
          on,
          archive,
          numbers.map((n) => frame(n)),
        ),
      );
      const copy = await index.write((on) =>
        addPack(
          on,
          archive,
          numbers.map((n) => frame(n)),
        ),
      );
      await index.write(async ({ db }) => {
        for (const [n, pair] of pairs.entries())
          for (const [i, { number }] of [old, copy].entries())
            await db
              .updateTable('chunks')
              .set(pair[i] as { lost: number; label: number })
              .where('prefix', '=', prefixOf(chunkId(n)))
              .where('pack', '=', number)
              .execute();
      });
      const present = () => Promise.all([1, 2, 3].map((epoch) => flags(index, archive, epoch, ...numbers)));
      const before = await present();
      const moves = numbers.map((n) => ({ prefix: prefixOf(chunkId(n)), from: old.number, offset: 1000 }));
      await index.write((on) => moveChunks(on, archive, copy.number, moves));
      assert.deepEqual(await present(), before);
      const bytes = numbers.length * 100;
      const packs = await index.read((on) => Promise.all([old, copy].map((p) => findPack(on, archive, p.id))));
      assert.deepEqual(packs.map((pack) => [pack?.rows, pack?.bytes]), [[0, 0], [numbers.length, bytes]]); // biome-ignore format: as a table
    }));

  test('rows that do not say what the table of their pack says are counted', () =>
    withIndex(async (index, archive) => {
      const frames = [frame(1), frame(2), frame(3)];
      const { number } = await index.write((on) => addPack(on, archive, frames));
      const wrong = (table: PackedFrame[]) => index.read((on) => countWrongRows(on, archive, number, placesOf(table)));
      assert.equal(await wrong(frames), 0);
      assert.equal(await wrong([...frames, frame(4)]), 0, 'a frame may have lost its row');
      assert.equal(await wrong([...frames, { ...frame(1), offset: 900 }]), 0, 'an id twice in one pack has one row');
      assert.equal(await wrong([frame(1), { ...frame(2), offset: 900 }, frame(3)]), 1);
      assert.equal(await wrong([frame(1)]), 2);
      assert.equal(await wrong([]), 3);
      await index.write((on) => updatePack(on, archive, number, { rows: 2 }));
      assert.equal(await wrong(frames), 1, 'the count is wrong');
    }));
});
