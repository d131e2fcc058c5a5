import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BACKUP_MOMENTS, backupDies, RESTORE_MOMENTS, restoreDies } from './rounds/kill-agent.ts';
import { shortWorld } from './support/short.ts';
import { changeTree, rewriteLarge } from './support/tree.ts';
import { LARGE } from './support/world.ts';

const BACKUPS = ['in the middle of the first pack', 'before the tree pack is sent', 'when the commit is acknowledged'];
const RESTORES = ['in the middle of a file'];

describe('the agent is killed', () => {
  const { world, round } = shortWorld(['laptop']);

  for (const moment of BACKUPS) {
    test(`in a backup, ${moment}: the next one completes`, async (t) => {
      const device = world.device('laptop');
      const what = await round(t, async (random) => {
        changeTree(device.tree, random);
        rewriteLarge(device.tree, LARGE.largeBytes, random);
        return backupDies(world, device, { death: BACKUP_MOMENTS[moment]! });
      });
      assert.match(what, /^died/);
    });
  }

  for (const moment of RESTORES) {
    test(`in a restore, ${moment}: the same one goes on and leaves nothing half`, async (t) => {
      const entry = world.ledger.newest('laptop')!;
      const what = await round(t, () =>
        restoreDies(world, world.device('laptop'), entry, { death: RESTORE_MOMENTS[moment]! }),
      );
      assert.equal(what, 'died');
    });
  }
});
