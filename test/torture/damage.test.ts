import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { describe, test } from 'node:test';
import { flipBit, isFoundAndHealed, livePacks } from './rounds/damage.ts';
import { revokedDeviceIsRefused } from './rounds/revoke.ts';
import { shortWorld } from './support/short.ts';
import { SMALL } from './support/world.ts';

describe('what goes wrong on one side only', () => {
  const { world, round } = shortWorld(['laptop'], SMALL);

  test('a flipped bit is found by verify, restored around, and healed by the next backup', async (t) => {
    const what = await round(t, async (random) => {
      const [largest] = livePacks(world).sort((a, b) => statSync(b).size - statSync(a).size);
      flipBit(largest as string, random, 0.5); // content; trees come after it
      return isFoundAndHealed(world);
    });
    assert.match(what, /^[1-9]\d* files hurt, healed by current, 0 older snapshots stay hurt, 0 packs$/);
  });

  test('a revoked device is refused, also in its backup, and its snapshots stay', async (t) => {
    await round(t, (random) => revokedDeviceIsRefused(world, random));
  });
});
