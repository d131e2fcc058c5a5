/** The agent dies in the middle of a backup, or of a restore. */
import assert from 'node:assert/strict';
import { type Death, describeDeath, someDeath } from '../faults/faults.ts';
import { requireWholeFiles } from '../support/leftovers.ts';
import type { Random } from '../support/random.ts';
import { changeTree, rewriteLarge } from '../support/tree.ts';
import type { Device, RunFaults, World } from '../support/world.ts';
import type { Round } from './round.ts';

const PACK = 'PUT /storage/v1/archives';
const COMMIT = '/snapshots';

/** Moments that a backup with large content always has: its packs go in any order, trees and snapshot last. */
export const BACKUP_MOMENTS: Readonly<Record<string, Death>> = {
  'before it asks the server anything': { step: 'request', nth: 1, when: 'before' },
  'before the first pack is sent': { step: 'request', nth: 1, when: 'before', about: PACK },
  'in the middle of the first pack': { step: 'request', nth: 1, when: 'half', about: PACK },
  'when the first pack is acknowledged': { step: 'request', nth: 1, when: 'after', about: PACK },
  'when the second pack is acknowledged': { step: 'request', nth: 2, when: 'after', about: PACK },
  'before the tree pack is sent': { step: 'request', nth: 3, when: 'before', about: PACK },
  'before the commit': { step: 'request', nth: 1, when: 'before', about: COMMIT },
  'in the middle of the commit': { step: 'request', nth: 1, when: 'half', about: COMMIT },
  'when the commit is acknowledged': { step: 'request', nth: 1, when: 'after', about: COMMIT },
  'before its cache is renamed': { step: 'rename', nth: 1, when: 'before', about: 'cache' },
  'before its cache is synced': { step: 'sync', nth: 1, when: 'before' },
};

/** Enough for several packs. */
const LARGE_BYTES = 20_000_000;

export const killBackup: Round = {
  name: 'kill-backup',
  weight: 7,
  async run(world, random) {
    const device = random.pick(world.devices);
    changeTree(device.tree, random);
    if (random.chance(0.6)) rewriteLarge(device.tree, LARGE_BYTES, random);
    const { faults, text } = someEnd(random, world.took.backup, ['write', 'sync', 'rename', 'mkdir', 'request']);
    return `${device.name}: ${text}, ${await backupDies(world, device, faults)}`;
  },
};

/** Returns whether it died in time. Afterwards the tree is as it was, and backed up. */
export async function backupDies(world: World, device: Device, faults: RunFaults): Promise<string> {
  const manifest = world.manifest(device);
  const { signal } = await world.disturbedBackup(device, faults);
  const committed = await world.adopt(device, manifest);
  const { kind } = await world.backup(device);
  if (committed > 0) assert.equal(kind, 'current', 'what the server had committed is found again');
  return `${signal === 'SIGKILL' ? 'died' : 'ended before'}, then ${kind}`;
}

export const RESTORE_MOMENTS: Readonly<Record<string, Death>> = {
  'in the middle of a file': { step: 'write', nth: 40, when: 'half' },
  'before a file gets its name': { step: 'rename', nth: 120, when: 'before' },
  'after a folder was made': { step: 'mkdir', nth: 5, when: 'after' },
  'while it reads packs': { step: 'request', nth: 2, when: 'after', about: '/packs/' },
};

export const killRestore: Round = {
  name: 'kill-restore',
  weight: 4,
  async run(world, random) {
    const device = random.pick(world.devices);
    const { faults, text } = someEnd(random, world.took.restore, ['write', 'rename', 'link', 'mkdir', 'request']);
    return `${device.name}: ${text}, ${await restoreDies(world, device, random.pick(world.ledger.all()), faults)}`;
  },
};

type Entry = ReturnType<World['ledger']['all']>[number];

/** The same restore again goes on where the first one was, and leaves nothing of it. */
export async function restoreDies(world: World, device: Device, entry: Entry, faults: RunFaults): Promise<string> {
  const to = world.newFolder();
  const args = world.restoreArgs(device, entry, to);
  const { signal, code, stdout } = await world.onDevice(device, args, faults);
  if (signal !== 'SIGKILL') assert.equal(code, 0, stdout);
  const again = await world.onDevice(device, args);
  assert.equal(again.code, 0, again.stdout);
  world.requireEqual(entry, to);
  requireWholeFiles(to);
  world.discard(to);
  return signal === 'SIGKILL' ? 'died' : 'ended before';
}

/** A moment by the clock, or a step. */
export function someEnd(
  random: Random,
  tookMs: number,
  steps: Parameters<typeof someDeath>[1],
): { faults: RunFaults; text: string } {
  if (random.chance(0.4)) {
    const share = random.between(0.15, 1.05);
    return { faults: { killAfterMs: share * tookMs }, text: `killed at ${Math.round(share * 100)} %` };
  }
  const death = someDeath(random, steps);
  return { faults: { death }, text: `dies ${describeDeath(death)}` };
}
