import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { maintainBeside } from './rounds/beside.ts';
import { shortWorld, testTheEnd } from './support/short.ts';
import { SMALL } from './support/world.ts';

const HOUR = 3_600_000;

describe('two devices back up and restore beside maintenance', () => {
  const short = shortWorld(['laptop', 'desktop'], SMALL);
  const { world, round } = short;

  test('nobody waits, nobody loses anything', async (t) => {
    const what = await round(t, async (random) => {
      // Only what is older than an hour is collected
      await world.advance(2 * HOUR);
      const { jobs, deleted } = await maintainBeside(world, random, 1);
      return `${jobs} jobs, ${deleted} chunks deleted`;
    });
    assert.match(what, /^[1-9]\d* jobs/);
  });

  testTheEnd(short);
});
