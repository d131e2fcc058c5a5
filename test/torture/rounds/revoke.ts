/** A device is revoked, also in the middle of its backup: it is refused with a code, and what it stored stays. */
import assert from 'node:assert/strict';
import { answer } from '../../../scripts/processes.ts';
import type { Random } from '../support/random.ts';
import { changeTree, rewriteLarge } from '../support/tree.ts';
import type { World } from '../support/world.ts';
import type { Round } from './round.ts';

const REFUSED = 6;

export const revoke: Round = {
  name: 'revoke',
  weight: 1,
  async run(world, random) {
    return revokedDeviceIsRefused(world, random);
  },
};

export async function revokedDeviceIsRefused(world: World, random: Random): Promise<string> {
  const name = `guest ${random.below(2 ** 32).toString(36)}`;
  const device = await world.addDevice(name);
  const { device: described } = answer<{ device: { id: string } }>(await world.onDevice(device, ['status']));
  changeTree(device.tree, random);
  rewriteLarge(device.tree, 20_000_000, random);
  const manifest = world.manifest(device);
  const [disturbed, revoked] = await Promise.all([
    world.disturbedBackup(device, {}, [REFUSED]),
    world.onServer(['device', 'revoke', described.id]),
  ]);
  answer(revoked);
  const last = disturbed.code === 0 ? 'its last backup was done' : 'its last backup was refused half-way';
  changeTree(device.tree, random);
  const refused = await world.onDevice(device, ['backup', '--set', 'work']);
  assert.equal(refused.code, REFUSED, refused.stdout);
  assert.equal(answer<{ error: { code: string } }>(refused, [REFUSED]).error.code, 'device_revoked');
  const other = world.devices.find((each) => each !== device);
  assert.ok(other);
  await world.adopt(device, manifest, other);
  for (const entry of world.ledger.all(name)) await world.restores(entry, other);
  world.forget(device);
  return `${world.ledger.all(name).length} snapshots of it restore, ${last}`;
}
