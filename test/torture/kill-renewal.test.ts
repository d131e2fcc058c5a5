import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Death } from './faults/faults.ts';
import { renewalDies, serverDiesInRenewal } from './rounds/kill-renewal.ts';
import { shortWorld } from './support/short.ts';
import { SMALL } from './support/world.ts';

const AGENT: Readonly<Record<string, Death>> = {
  'when one of its key files is stored': { step: 'request', nth: 1, when: 'after', about: '^PUT .*/keys/' },
  'before the authority hears of it': { step: 'request', nth: 1, when: 'before', about: '^POST .*/archive/identity' },
  'when the authority has taken it': { step: 'request', nth: 1, when: 'after', about: '^POST .*/archive/identity' },
  'when the pin names it': { step: 'rename', nth: 1, when: 'after', about: 'device\\.json$' },
};

const SERVER: Readonly<Record<string, Death>> = {
  'before that is committed': { step: 'statement', nth: 1, when: 'after', about: 'update "archives"' },
};

describe('a renewal of keys after a device was removed', () => {
  const { world, round } = shortWorld(['laptop', 'desktop'], SMALL);

  for (const [moment, death] of Object.entries(AGENT)) {
    test(`the agent is killed ${moment}: the next backup ends it`, async (t) => {
      const what = await round(t, (random) => renewalDies(world, random, { death }));
      assert.equal(what, 'died');
    });
  }

  for (const [moment, death] of Object.entries(SERVER)) {
    test(`the server is killed ${moment}: the next backup ends it`, async (t) => {
      const what = await round(t, (random) => serverDiesInRenewal(world, random, death));
      assert.equal(what, 'died');
    });
  }
});
