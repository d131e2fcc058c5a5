/** The server dies while devices talk to it, or while it starts; it comes back on the same ports. */
import assert from 'node:assert/strict';
import { answer } from '../../../scripts/processes.ts';
import { type Death, describeDeath, someDeath } from '../faults/faults.ts';
import { requireCleanStore } from '../support/leftovers.ts';
import { together } from '../support/together.ts';
import { changeTree, rewriteLarge } from '../support/tree.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const LARGE_BYTES = 20_000_000;
/** The agent goes on by itself when the server is back soon, and says that it could not reach it when not. */
const DONE = 0;
const OFFLINE = 5;

export const SERVER_MOMENTS: Readonly<Record<string, Death>> = {
  'while a pack arrives': { step: 'write', nth: 20, when: 'half' },
  'before a pack is synced': { step: 'sync', nth: 2, when: 'before', about: '' },
  'before a pack gets its name': { step: 'link', nth: 1, when: 'before', about: '/store/tmp/' },
  'when a pack has its name': { step: 'link', nth: 1, when: 'after', about: '/store/tmp/' },
  'before a pack stands in the index': { step: 'statement', nth: 1, when: 'before', about: 'into "packs"' },
  'when a snapshot has its name': { step: 'rename', nth: 1, when: 'after', about: '/store/tmp/' },
};

export const killServer: Round = {
  name: 'kill-server',
  weight: 6,
  async run(world, random) {
    const busy = random.chance(0.5) ? world.devices : [random.pick(world.devices)];
    for (const device of busy) {
      changeTree(device.tree, random);
      if (random.chance(0.6)) rewriteLarge(device.tree, LARGE_BYTES, random);
    }
    if (random.chance(0.4)) {
      const share = random.between(0.2, 1);
      return `killed at ${Math.round(share * 100)} %, ${await serverDies(world, busy, share * world.took.backup)}`;
    }
    const death = someDeath(random, ['write', 'sync', 'rename', 'link', 'unlink', 'mkdir', 'statement', 'commit']);
    return `dies ${describeDeath(death)}, ${await serverDies(world, busy, death)}`;
  },
};

/** Devices back up; the server dies after so many ms, or at a step of its own, and is started again. */
export async function serverDies(world: World, busy: readonly Device[], how: Death | number): Promise<string> {
  const manifests = busy.map((device) => world.manifest(device));
  if (typeof how !== 'number') {
    await world.stopServer();
    if (!(await startsWith(world, how))) return finish(world, busy, 'died while it started');
  }
  const running = busy.map((device) => world.disturbedBackup(device, {}, [DONE, OFFLINE]));
  const { server } = world;
  const timer = typeof how === 'number' ? setTimeout(() => void server.stop('SIGKILL'), how) : undefined;
  const all = together(running);
  const died = await Promise.race([server.ended.then(() => true), all.then(() => false)]);
  clearTimeout(timer);
  await world.stopServer(died ? 'SIGKILL' : 'SIGTERM');
  await world.startServer();
  const ended = await all;
  for (const [i, device] of busy.entries()) await world.adopt(device, manifests[i] as never);
  const codes = ended.map(({ code }) => code).join(' and ');
  return finish(world, busy, `${died ? 'died' : 'lived on'}, backups ended with ${codes}`);
}

async function startsWith(world: World, death: Death): Promise<boolean> {
  try {
    await world.startServer(death);
    return true;
  } catch (error) {
    assert.match(String(error), /ended with null/, 'it dies by the kill and by nothing else');
    await world.startServer();
    return false;
  }
}

async function finish(world: World, busy: readonly Device[], text: string): Promise<string> {
  for (const device of busy) await world.backup(device);
  requireCleanStore(world.storeDir);
  return text;
}

/** Maintenance dies beside a backup and a restore, which go on; the next one takes over. */
export const killMaintenance: Round = {
  name: 'kill-maintenance',
  weight: 5,
  async run(world, random) {
    const [writer, reader] = random.shuffled(world.devices) as [Device, Device];
    changeTree(writer.tree, random);
    if (random.chance(0.5)) rewriteLarge(writer.tree, LARGE_BYTES, random);
    const death = someDeath(random, ['write', 'sync', 'rename', 'link', 'unlink', 'statement', 'commit']);
    const share = random.between(0.3, 1);
    const how = random.chance(0.4) ? { killAfterMs: share * world.took.maintain } : { death };
    const text = 'death' in how ? `dies ${describeDeath(death)}` : `killed at ${Math.round(share * 100)} %`;
    return `${text}, ${await maintenanceDies(world, writer, reader, how)}`;
  },
};

type End = { readonly killAfterMs: number } | { readonly death: Death };

export async function maintenanceDies(world: World, writer: Device, reader: Device, how: End): Promise<string> {
  const entry = world.ledger.newest(reader.name);
  assert.ok(entry);
  const maintained = world.onServer(['maintain', 'all'], how);
  await together<unknown>([maintained, world.backup(writer), world.restores(entry)]);
  const first = await maintained;

  if (first.signal !== 'SIGKILL') answer(first);
  // A job that died holds its place for two minutes
  await world.advance(5 * 60_000);
  const { summary } = await world.maintain('all');
  assert.equal(summary.skipped, 0, 'nobody else is at it');
  requireCleanStore(world.storeDir);
  return first.signal === 'SIGKILL' ? 'died' : 'ended before';
}
