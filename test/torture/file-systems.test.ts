import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { everythingComesBack, unrestIsBorne } from './rounds/file-systems.ts';
import { shortWorld } from './support/short.ts';
import { SMALL } from './support/world.ts';

describe('what file systems hold', () => {
  const { world, round } = shortWorld([], SMALL);

  test('comes back as find and tar see it', async (t) => {
    const what = await round(t, () => everythingComesBack(world, 'odd', { entries: 1500, depth: 500 }));
    assert.match(what, / facts, all as they were$|^skipped/);
  });

  test('may change while it is read: what was left out is told, and what was read comes back', async (t) => {
    const what = await round(t, () => unrestIsBorne(world, 'restless', 1));
    assert.match(what, / facts, all as they were$|^skipped/);
  });
});
