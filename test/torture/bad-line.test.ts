import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { badLineIsBorne, closedLineKeepsProgress } from './rounds/bad-line.ts';
import { deviceClockBack } from './rounds/clock-back.ts';
import { targetIsFull } from './rounds/full-disk.ts';
import { shortWorld } from './support/short.ts';
import { CAN_MOUNT } from './support/small-disk.ts';
import { changeTree, rewriteLarge } from './support/tree.ts';
import { LARGE } from './support/world.ts';

describe('networks, disks and clocks go wrong', () => {
  const { world, round } = shortWorld(['laptop']);

  test('a fifth of all requests is cut, lost, doubled, late or refused: backup and restore end well', async (t) => {
    const device = world.device('laptop');
    const what = await round(t, async (random) => {
      changeTree(device.tree, random);
      rewriteLarge(device.tree, LARGE.largeBytes, random);
      return badLineIsBorne(world, device, random, 0.2);
    });
    assert.match(what, /^20 % of requests hurt: [1-9]/);
  });

  test('a server that is busy for an hour: status says so, and what it had acknowledged is not sent again', async (t) => {
    const device = world.device('laptop');
    const what = await round(t, async (random) => {
      rewriteLarge(device.tree, LARGE.largeBytes, random);
      return closedLineKeepsProgress(world, device);
    });
    assert.match(what, /^unavailable, then 0 MB$/);
  });

  test('the disk that is restored to is full: the same restore ends it when there is room', async (t) => {
    if (!CAN_MOUNT) {
      t.diagnostic('skipped: only root can make a small disk');
      return;
    }
    await round(t, () => targetIsFull(world, world.device('laptop')));
  });

  test('the clock of a device goes back a day', async (t) => {
    await round(t, (random) => deviceClockBack(world, world.device('laptop'), random));
  });
});
