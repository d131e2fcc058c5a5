/** The agent dies in the middle of a backup, or of a restore. */
import assert from 'node:assert/strict';
import { type Death, type End, someEnd } from '../faults/faults.ts';
import { requireWholeFiles } from '../support/leftovers.ts';
import { changeTree, rewriteLarge } from '../support/tree.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const PACK = '^PUT .*/packs/';
const COMMIT = '^POST .*/snapshots$';

/** Moments that a backup of several packs always has: those with content go in any order, then trees, then the snapshot. */
export const BACKUP_MOMENTS: Readonly<Record<string, Death>> = {
  'before it asks the server anything': { step: 'request', nth: 1, when: 'before' },
  'in the middle of the first pack': { step: 'request', nth: 1, when: 'half', about: PACK },
  'when the first pack is acknowledged': { step: 'request', nth: 1, when: 'after', about: PACK },
  'before the tree pack is sent': { step: 'request', nth: 3, when: 'before', about: PACK },
  'before the commit': { step: 'request', nth: 1, when: 'before', about: COMMIT },
  'in the middle of the commit': { step: 'request', nth: 1, when: 'half', about: COMMIT },
  'when the commit is acknowledged': { step: 'request', nth: 1, when: 'after', about: COMMIT },
};

const BACKUP_STEPS = ['write', 'sync', 'rename', 'mkdir', 'request'] as const;
/** Enough for several packs. */
const LARGE_BYTES = 20_000_000;

export const killBackup: Round = {
  name: 'kill-backup',
  weight: 7,
  async run(world, random) {
    const device = random.pick(world.devices);
    changeTree(device.tree, random);
    if (random.chance(0.6)) rewriteLarge(device.tree, LARGE_BYTES, random);
    const { end, text } = someEnd(random, world.took.backup, BACKUP_STEPS, BACKUP_MOMENTS);
    return `${device.name}: ${text}, ${await backupDies(world, device, end)}`;
  },
};

/** Returns whether it died in time. Afterwards the tree is as it was, and backed up. */
export async function backupDies(world: World, device: Device, end: End): Promise<string> {
  const manifest = world.manifest(device);
  const { signal } = await world.disturbedBackup(device, end);
  const committed = await world.adopt(device, manifest);
  const { kind } = await world.backup(device);
  if (committed > 0) assert.equal(kind, 'current', 'what the server had committed is found again');
  return `${signal === 'SIGKILL' ? 'died' : 'ended before'}, then ${kind}`;
}

export const RESTORE_MOMENTS: Readonly<Record<string, Death>> = {
  'in the middle of a file': { step: 'write', nth: 40, when: 'half' },
  'before a hard link is made': { step: 'link', nth: 1, when: 'before' },
  'while it reads packs': { step: 'request', nth: 2, when: 'after', about: '/packs/' },
};

const RESTORE_STEPS = ['write', 'rename', 'link', 'mkdir', 'request'] as const;

export const killRestore: Round = {
  name: 'kill-restore',
  weight: 4,
  async run(world, random) {
    const device = random.pick(world.devices);
    const { end, text } = someEnd(random, world.took.restore, RESTORE_STEPS, RESTORE_MOMENTS);
    return `${device.name}: ${text}, ${await restoreDies(world, device, random.pick(world.ledger.all()), end)}`;
  },
};

type Entry = ReturnType<World['ledger']['all']>[number];

/** The same restore again goes on where the first one was, and leaves nothing of it. One may have died there `before`. */
export async function restoreDies(
  world: World,
  device: Device,
  entry: Entry,
  end: End,
  before?: Death,
): Promise<string> {
  const to = world.newFolder();
  const args = world.restoreArgs(device, entry, to);
  if (before !== undefined) await world.onDevice(device, args, { death: before });
  const { signal, code, stdout } = await world.onDevice(device, args, end);
  if (signal !== 'SIGKILL') assert.equal(code, 0, stdout);
  const again = await world.onDevice(device, args);
  assert.equal(again.code, 0, again.stdout);
  world.requireEqual(entry, to);
  requireWholeFiles(to);
  world.discard(to);
  return signal === 'SIGKILL' ? 'died' : 'ended before';
}
