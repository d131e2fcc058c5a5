import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clause } from '../../packages/server/src/storage/testing/cut-collect.ts';
import { Model } from './model/model.ts';

const SHORT = { days: 3, eventsADay: 150, wholeEvery: 0 };
/** A seed that misses the clause; should the storage take other steps one day, one of the next ones does. */
const SEEDS: readonly (readonly [Clause, number])[] = [
  ['wait', 2],
  ['rescue', 2],
  ['rescue from trees', 4],
  ['hiding', 1],
];
const MOST_SEEDS = 60;

describe('a random run of everything that happens to an archive', () => {
  test('keeps every promise, and is the same again for the same seed', async () => {
    const options = { ...SHORT, wholeEvery: SHORT.days, seed: 'clause 3', leftOut: 'nothing' } as const;
    const first = await Model.run(options);
    assert.equal(first.broken, null, first.broken?.stack ?? '');
    assert.equal(first.counts['whole restores'], 1, 'the engine takes part');
    assert.equal((await Model.run(options)).hash, first.hash);
  });

  for (const [clause, first] of SEEDS)
    test(`misses the clause "${clause}" when it is left out`, async (t) => {
      for (let seed = first; seed < first + MOST_SEEDS; seed++) {
        const { broken } = await Model.run({ ...SHORT, seed: `clause ${seed}`, leftOut: clause });
        if (broken === null) continue;
        t.diagnostic(`seed "clause ${seed}": ${broken.message}`);
        return;
      }
      assert.fail('nothing broke: the model is blind, or its runs do not reach the case');
    });
});
