/** A clock is set back a day: of one device, or of the server and of everybody. Nothing fails, nothing is taken away by it. */
import assert from 'node:assert/strict';
import type { Random } from '../support/random.ts';
import { changeTree } from '../support/tree.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const DAY = 24 * 3_600_000;

export const clockBack: Round = {
  name: 'clock-back',
  weight: 2,
  async run(world, random) {
    const device = random.pick(world.devices);
    return random.chance(0.5) ? deviceClockBack(world, device, random) : everyClockBack(world, device, random);
  },
};

export async function deviceClockBack(world: World, device: Device, random: Random): Promise<string> {
  changeTree(device.tree, random);
  const ended = await world.disturbedBackup(device, { clockOffMs: -DAY });
  assert.equal(ended.code, 0, ended.stdout);
  changeTree(device.tree, random);
  await world.backup(device);
  await restoresNewest(world, device);
  return 'a device went back a day and came back';
}

async function everyClockBack(world: World, device: Device, random: Random): Promise<string> {
  await world.advance(-DAY);
  changeTree(device.tree, random);
  await world.backup(device);
  const { summary } = await world.maintain('all');
  assert.deepEqual([summary.failed, summary.skipped], [0, 0]);
  await world.advance(DAY);
  changeTree(device.tree, random);
  await world.backup(device);
  await restoresNewest(world, device);
  return 'everybody went back a day and came back';
}

async function restoresNewest(world: World, device: Device): Promise<void> {
  const newest = world.ledger.newest(device.name);
  assert.ok(newest);
  await world.restores(newest);
}
