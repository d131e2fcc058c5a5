import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEATHS, renewalDies } from './rounds/kill-renewal.ts';
import { shortWorld } from './support/short.ts';
import { SMALL } from './support/world.ts';

describe('a renewal of keys after a device was removed', () => {
  const { world, round } = shortWorld(['laptop', 'desktop'], SMALL);

  for (const moment of ['when one of its key files is stored', 'when the authority has taken it'] as const) {
    test(`the agent is killed ${moment}: the next backup ends it`, async (t) => {
      const what = await round(t, (random) => renewalDies(world, random, { death: DEATHS.agent[moment] }));
      assert.equal(what, 'died');
    });
  }
});
