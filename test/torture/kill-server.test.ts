import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAINTENANCE_MOMENTS, maintenanceDies, SERVER_MOMENTS, serverDies } from './rounds/kill-server.ts';
import { shortWorld } from './support/short.ts';
import { changeTree, rewriteLarge } from './support/tree.ts';
import { LARGE } from './support/world.ts';

const INGEST = ['while a pack arrives', 'when a snapshot has its name'];
const MAINTENANCE = ['between two of its transactions'];

describe('the server is killed', () => {
  const { world, round } = shortWorld(['laptop']);

  for (const moment of INGEST) {
    test(`${moment}: it starts again on the same ports and the backup goes on`, async (t) => {
      const device = world.device('laptop');
      const what = await round(t, async (random) => {
        changeTree(device.tree, random);
        rewriteLarge(device.tree, LARGE.largeBytes, random);
        return serverDies(world, [device], { death: SERVER_MOMENTS[moment]! });
      });
      assert.equal(what, 'died, backups ended with 0');
    });
  }

  for (const moment of MAINTENANCE) {
    test(`in maintenance, ${moment}: backup and restore go on, the next run ends it`, async (t) => {
      const device = world.device('laptop');
      const what = await round(t, async (random) => {
        changeTree(device.tree, random);
        return maintenanceDies(world, device, device, { death: MAINTENANCE_MOMENTS[moment]! });
      });
      assert.equal(what, 'died');
    });
  }
});
