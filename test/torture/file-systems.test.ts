import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { everythingComesBack } from './rounds/file-systems.ts';
import { shortWorld } from './support/short.ts';
import { SMALL } from './support/world.ts';

describe('what file systems hold', () => {
  const { world, round } = shortWorld([], SMALL);

  test('comes back as find and tar see it', async (t) => {
    const what = await round(t, () => everythingComesBack(world, 'odd', { entries: 1500, depth: 500 }));
    assert.match(what, / facts, all as they were$|^skipped/);
  });
});
