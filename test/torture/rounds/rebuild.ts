/** Databases are lost; the store point, the kit and a dump are left. Devices go on as if nothing had been. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { answer } from '../../../scripts/processes.ts';
import type { Death, End } from '../faults/faults.ts';
import { requireWholeFiles } from '../support/leftovers.ts';
import type { Random } from '../support/random.ts';
import { changeTree } from '../support/tree.ts';
import type { World } from '../support/world.ts';
import type { Round } from './round.ts';

type Reindexed = { readonly packs: number; readonly snapshots: number; readonly archives: number };

export const rebuildIndex: Round = {
  name: 'rebuild-index',
  weight: 1,
  async run(world, random) {
    await loseIndex(world);
    const { packs, snapshots } = await reindex(world);
    await world.startServer();
    await goesOn(world, random);
    return `${packs} packs, ${snapshots} snapshots`;
  },
};

export const recover: Round = {
  name: 'recover',
  weight: 1,
  async run(world, random) {
    const { packs, snapshots } = await loseMachine(world, random);
    await goesOn(world, random);
    return `${packs} packs, ${snapshots} snapshots`;
  },
};

export const withoutServer: Round = {
  name: 'without-server',
  weight: 1,
  async run(world) {
    return `${await restoreWithoutServer(world)} snapshots from the store point alone`;
  },
};

async function loseIndex(world: World): Promise<void> {
  await world.stopServer();
  for (const name of readdirSync(world.data)) if (name.startsWith('index.db')) rmSync(join(world.data, name));
}

async function reindex(world: World): Promise<Reindexed> {
  return answer<Reindexed>(await world.onServer(['reindex']));
}

/** Runs a command that may die of this, and then is run again to its end. Returns whether it died. */
async function dying(world: World, args: readonly string[], end: End): Promise<boolean> {
  const first = await world.onServer(args, end);
  answer(first.signal === 'SIGKILL' ? await world.onServer(args) : first);
  return first.signal === 'SIGKILL';
}

const asWord = (died: boolean): string => (died ? 'died' : 'ended before');

export async function reindexDies(world: World, random: Random, end: End): Promise<string> {
  await loseIndex(world);
  const died = await dying(world, ['reindex'], end);
  await world.startServer();
  await goesOn(world, random);
  return asWord(died);
}

/** After a reindex maintenance is held; letting it go dies, and is repeated. */
export async function enablingDies(world: World, end: End): Promise<string> {
  await loseIndex(world);
  await reindex(world);
  await world.startServer();
  const first = await world.onServer(['maintain', 'all', '--enable'], end);
  if (first.signal !== 'SIGKILL') answer(first);
  await world.afterTakeOver();
  const { summary } = await world.maintain('all', [0], ['--enable']);
  assert.deepEqual([summary.failed, summary.skipped, summary.alerts], [0, 0, 0]);
  return asWord(first.signal === 'SIGKILL');
}

export async function dumpDies(world: World, end: End): Promise<string> {
  const died = await dying(world, ['dump'], end);
  await world.stopServer();
  await world.startServer();
  requireWholeFiles(world.data);
  return asWord(died);
}

/** In the middle of filling the database. */
const HALF_RECOVERED: Death = {
  step: 'statement',
  nth: 1,
  when: 'after',
  place: 'recover statement insert into users',
};

/** It is killed twice, the second time where `end` says, so that clearing away what the first left is hit too. */
export async function recoverDies(world: World, random: Random, end: End): Promise<string> {
  let died = false;
  await loseMachine(world, random, async (args) => {
    const first = await world.onServer(args, { death: HALF_RECOVERED });
    assert.equal(first.signal, 'SIGKILL', first.stdout);
    died = await dying(world, args, end);
  });
  await goesOn(world, random);
  requireWholeFiles(world.data);
  return asWord(died);
}

/** The machine of the server is lost but for its store point. The dump is older than the last snapshots. */
async function loseMachine(
  world: World,
  random: Random,
  run: (args: readonly string[]) => Promise<void> = async (args) => void answer(await world.onServer(args)),
): Promise<Reindexed> {
  const { dump } = answer<{ dump: string }>(await world.onServer(['dump']));
  for (const device of world.devices) {
    changeTree(device.tree, random);
    await world.backup(device);
  }
  await world.stopServer('SIGKILL');
  const lost = world.data;
  world.data = `${lost}-again`;
  mkdirSync(world.data, { mode: 0o700 });
  const words = join(world.folder, 'kit words');
  writeFileSync(words, world.kitWords, { mode: 0o600 });
  const kit = join(lost, 'recovery-kit.age');
  await run(['recover', '--kit', kit, '--words', words, '--dump', dump]);
  renameSync(join(lost, 'store'), world.storeDir);
  renameSync(kit, join(world.data, 'recovery-kit.age'));
  rmSync(lost, { recursive: true });
  const indexed = await reindex(world);
  await world.startServer();
  return indexed;
}

/** Nobody enrols again: everything restores, the next backups complete, and maintenance is let go. */
async function goesOn(world: World, random: Random): Promise<void> {
  for (const device of world.devices) {
    const before = world.ledger.newest(device.name);
    assert.ok(before);
    await world.restores(before);
    changeTree(device.tree, random);
    await world.backup(device);
  }
  await requireHeld(world);
  const { summary } = await world.maintain('all', [0], ['--enable']);
  assert.deepEqual([summary.failed, summary.skipped, summary.alerts], [0, 0, 0]);
}

/** Nothing is thinned out or collected before an administrator has looked. */
async function requireHeld(world: World): Promise<void> {
  const { stdout, stderr } = await world.onServer(['maintain', 'retention']);
  assert.match(`${stdout}${stderr}`, /maintenance_held|"why":"held"/);
}

/** Returns how many snapshots came back. */
export async function restoreWithoutServer(world: World): Promise<number> {
  const [device] = world.devices;
  assert.ok(device);
  const identity = join(world.folder, 'my archive.key');
  rmSync(identity, { force: true });
  answer(await world.onDevice(device, ['key', 'export', identity, '--copy-only']));
  await world.stopServer();
  const stranger = { name: '', home: join(world.folder, 'home of nobody') };
  const entries = world.devices.map(({ name }) => world.ledger.newest(name));
  for (const entry of entries) {
    assert.ok(entry);
    const to = world.newFolder();
    const args = world.restoreArgs(stranger, entry, to);
    answer(await world.onDevice(stranger, [...args, '--store', world.storeDir, '--identity', identity]));
    world.requireEqual(entry, to);
    world.discard(to);
  }
  rmSync(stranger.home, { recursive: true, force: true });
  await world.startServer();
  return entries.length;
}
