// The protocol of ARCHIVE §5.4 against an exact oracle: backups, restores, retention, power cuts and every step of collect,
// interleaved by a seed. Then the same with one clause left out, which has to be noticed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startPostgres } from '../../database/testing/postgres.ts';
import { openIndex } from '../index/open-index.ts';
import { type LeftOut, World } from '../testing/world.ts';

/** `npm run torture -- --model` goes through many more, of whole devices. */
const RUNS = 20;
const STEPS = 150;
/** The rarest case comes once in fifty runs or so: it is looked for from a seed on that is near one. */
const FIRST_SEED = { wait: 1, rescue: 1, 'rescue from trees': 29, hiding: 1 } as const;
const MOST_RUNS = 400;

async function interleave(leftOut: LeftOut, runs: number) {
  const total = { snapshots: 0, deleted: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    const { lost, snapshots, deleted } = await (await World.make(seed, leftOut)).run(STEPS);
    assert.equal(lost, null, `seed ${seed}`);
    total.snapshots += snapshots;
    total.deleted += deleted;
  }
  assert.ok(total.snapshots > runs * 5 && total.deleted > runs, `too little happened: ${JSON.stringify(total)}`);
}

test('no committed snapshot is lost and no running restore broken, however collect is interleaved', () =>
  interleave('none', RUNS));

test('the sequence of stages that the tests below cut short loses nothing when it is whole', () =>
  interleave('nothing', 5));

test('the same on PostgreSQL', async () => {
  const postgres = await startPostgres();
  try {
    for (let seed = 1; seed <= 2; seed++) {
      const index = await openIndex({
        kind: 'postgres',
        url: await postgres.createDatabase(),
        schema: 'holdfast_index',
      });
      const { lost, deleted } = await (await World.make(seed, 'none', index)).run(STEPS);
      assert.equal(lost, null, `seed ${seed}`);
      assert.ok(deleted > 0);
    }
  } finally {
    await postgres.stop();
  }
});

for (const leftOut of ['wait', 'rescue', 'rescue from trees', 'hiding'] as const) {
  test(`without its clause "${leftOut}" the protocol loses data, and the oracle sees it`, async () => {
    const first = FIRST_SEED[leftOut];
    for (let seed = first; seed < first + MOST_RUNS; seed++)
      if ((await (await World.make(seed, leftOut)).run(STEPS)).lost) return;
    assert.fail('nothing was lost: the oracle is blind, or the runs do not reach the case');
  });
}
