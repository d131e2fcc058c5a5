/** The server dies while devices talk to it, or while it starts; it comes back on the same ports. */
import assert from 'node:assert/strict';
import { answer } from '../../../scripts/processes.ts';
import { type Death, type End, someEnd } from '../faults/faults.ts';
import { requireCleanStore } from '../support/leftovers.ts';
import type { Random } from '../support/random.ts';
import { together } from '../support/together.ts';
import { changeTree, rewriteLarge } from '../support/tree.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const LARGE_BYTES = 20_000_000;
/** The agent goes on by itself when the server is back soon, and says that it could not reach it when not. */
const DONE = 0;
const OFFLINE = 5;

export const SERVER_MOMENTS: Readonly<Record<string, Death>> = {
  'while a pack arrives': { step: 'write', nth: 40, when: 'half' },
  'before a pack gets its name': { step: 'rename', nth: 1, when: 'before', about: '/packs/' },
  'before a pack stands in the index': { step: 'statement', nth: 1, when: 'before', about: 'insert into "packs"' },
  'when a pack is about to be acknowledged': { step: 'rename', nth: 2, when: 'after', about: '/packs/' },
  'when a snapshot has its name': { step: 'rename', nth: 1, when: 'after', about: '/snapshots/' },
  'when a receipt has its name': { step: 'rename', nth: 1, when: 'after', about: '/receipts/' },
};

/** Some come only when something is dead. */
export const MAINTENANCE_MOMENTS: Readonly<Record<string, Death>> = {
  'between two of its transactions': { step: 'commit', nth: 4, when: 'after' },
  'before the epoch is raised': { step: 'statement', nth: 1, when: 'before', about: 'update "archives" set "epoch"' },
  'between condemning and deleting': { step: 'statement', nth: 1, when: 'before', about: 'delete from chunks' },
  'when a pack is deleted': { step: 'unlink', nth: 1, when: 'after', about: '/packs/' },
  'when a snapshot is deleted': { step: 'unlink', nth: 1, when: 'after', about: '/snapshots/' },
  'when compaction has written a pack': { step: 'rename', nth: 1, when: 'after', about: '/packs/' },
};

const SERVER_STEPS = ['write', 'sync', 'rename', 'link', 'unlink', 'mkdir', 'statement', 'commit'] as const;
const MAINTENANCE_STEPS = ['write', 'sync', 'rename', 'link', 'unlink', 'statement', 'commit'] as const;

export const killServer: Round = {
  name: 'kill-server',
  weight: 6,
  async run(world, random) {
    const busy = random.chance(0.5) ? world.devices : [random.pick(world.devices)];
    for (const device of busy) {
      changeTree(device.tree, random);
      if (random.chance(0.6)) rewriteLarge(device.tree, LARGE_BYTES, random);
    }
    const { end, text } = someEnd(random, world.took.backup, SERVER_STEPS, SERVER_MOMENTS);
    return `${text}, ${await serverDies(world, busy, end)}`;
  },
};

/** Devices back up; the server dies and is started again. */
export async function serverDies(world: World, busy: readonly Device[], end: End): Promise<string> {
  const manifests = new Map(busy.map((device) => [device, world.manifest(device)]));
  const { died, result } = await surviving(world, end, () =>
    together(busy.map((device) => world.disturbedBackup(device, {}, [DONE, OFFLINE]))),
  );
  for (const [device, manifest] of manifests) await world.adopt(device, manifest);
  const codes = result.map(({ code }) => code).join(' and ');
  for (const device of busy) await world.backup(device);
  requireCleanStore(world.storeDir);
  return `${died ? 'died' : 'lived on'}, backups ended with ${codes}`;
}

/** Does `work` while the server dies of `end`, at its start or later; it is started again as soon as it is dead. */
export async function surviving<T>(
  world: World,
  { death, killAfterMs }: End,
  work: () => Promise<T>,
): Promise<{ readonly died: boolean; readonly result: T }> {
  if (death !== undefined) {
    await world.stopServer();
    if (!(await world.startServerOrDie(death))) return { died: true, result: await work() };
  }
  const { server } = world;
  const working = work();
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => void server.stop('SIGKILL'), killAfterMs);
  const died = await Promise.race([server.ended.then(() => true), working.then(() => world.isServerDead())]);
  clearTimeout(timer);
  if (died || death !== undefined) {
    await world.stopServer(died ? 'SIGKILL' : 'SIGTERM');
    await world.startServer();
  }
  return { died, result: await working };
}

const HOUR = 3_600_000;
/** When the hourly jobs run, ms after the hour. */
const HOURLY_AT = 17 * 60_000;
const START_MS = 5000;
/** It has done them by then. */
const JOBS_MS = 15_000;

/** The server dies in what it does each hour by the clock, while its devices back up; it comes back, and everything goes on. */
export async function serverDiesByTheClock(world: World, random: Random, death: Death): Promise<string> {
  for (const device of world.devices) changeTree(device.tree, random);
  const manifests = new Map(world.devices.map((device) => [device, world.manifest(device)]));
  await world.stopServer();
  const sinceThen = (world.now() - HOURLY_AT + START_MS) % HOUR;
  world.clockMs += HOUR - sinceThen;
  const started = await world.startServerOrDie(death);
  const busy = together(world.devices.map((device) => world.disturbedBackup(device, {}, [DONE, OFFLINE])));
  const died = !started || (await diesWithin(world, JOBS_MS));
  await world.stopServer(died ? 'SIGKILL' : 'SIGTERM');
  await world.startServer();
  await busy;
  for (const [device, manifest] of manifests) await world.adopt(device, manifest);
  for (const device of world.devices) await world.backup(device);
  return died ? 'died' : 'lived on';
}

async function diesWithin(world: World, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  const died = await Promise.race([world.server.ended.then(() => true), late]);
  clearTimeout(timer);
  return died;
}

/** Maintenance dies beside a backup and a restore, which go on; the next one takes over. */
export const killMaintenance: Round = {
  name: 'kill-maintenance',
  weight: 5,
  async run(world, random) {
    const [writer, reader] = random.shuffled(world.devices) as [Device, Device];
    // Only what is older than an hour is collected
    if (random.chance(0.5)) await world.advance(2 * 3_600_000);
    changeTree(writer.tree, random);
    if (random.chance(0.5)) rewriteLarge(writer.tree, LARGE_BYTES, random);
    const { end, text } = someEnd(random, world.took.maintain, MAINTENANCE_STEPS, MAINTENANCE_MOMENTS);
    return `${text}, ${await maintenanceDies(world, writer, reader, end)}`;
  },
};

export async function maintenanceDies(world: World, writer: Device, reader: Device, end: End): Promise<string> {
  const entry = world.ledger.newest(reader.name);
  assert.ok(entry);
  const maintained = world.onServer(['maintain', 'all'], end);
  await together<unknown>([maintained, world.backup(writer), world.restores(entry)]);
  const first = await maintained;
  if (first.signal !== 'SIGKILL') answer(first);
  await world.afterTakeOver();
  const { summary } = await world.maintain('all');
  assert.equal(summary.skipped, 0, 'nobody else is at it');
  requireCleanStore(world.storeDir);
  return first.signal === 'SIGKILL' ? 'died' : 'ended before';
}
