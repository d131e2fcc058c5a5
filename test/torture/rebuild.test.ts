import { describe, test } from 'node:test';
import { rebuildIndex, recover, restoreWithoutServer } from './rounds/rebuild.ts';
import { shortWorld } from './support/short.ts';
import { SMALL } from './support/world.ts';

describe('databases are lost', () => {
  const { world, round } = shortWorld(['laptop'], SMALL);

  test('the index is made anew from the store point, and devices go on', async (t) => {
    await round(t, (random) => rebuildIndex.run(world, random));
  });

  test('the server is made again from kit, dump and store point, and nobody enrols again', async (t) => {
    await round(t, (random) => recover.run(world, random));
  });

  test('without any server the store point and the exported key give everything back', async (t) => {
    await round(t, async () => `${await restoreWithoutServer(world)} snapshots`);
  });
});
