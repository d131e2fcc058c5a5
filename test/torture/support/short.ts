/** A world for a test of the short form: it begins before the first test, and its end is a test of its own. */
import { after, before, type TestContext, test } from 'node:test';
import { goThrough } from '../campaign.ts';
import { Random } from './random.ts';
import type { TreeSize } from './tree.ts';
import { LARGE, World } from './world.ts';

export const SEED = 'short';

export type Short = {
  readonly world: World;
  /** Draws what one test decides; the seed and what came of it are told. */
  round(t: TestContext, work: (random: Random) => Promise<string>): Promise<string>;
};

export function shortWorld(devices: readonly string[], size: TreeSize = LARGE): Short {
  const random = new Random(SEED);
  const world = new World(random, size);
  before(() => world.begin(devices));
  after(() => world.end());
  return {
    world,
    async round(t, work) {
      const what = await work(random.fork(t.name));
      t.diagnostic(`seed ${SEED}: ${what}`);
      return what;
    },
  };
}

/** To be called after the other tests of a file. */
export function testTheEnd({ world, round }: Short): void {
  test('afterwards maintenance has nothing left to do, and every acknowledged snapshot restores', async (t) => {
    await round(t, () => goThrough(world));
  });
}
