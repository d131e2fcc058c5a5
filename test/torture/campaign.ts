/**
 * Many rounds, in worlds of twenty. A world begins with two devices, suffers its rounds one after the other, and is gone
 * through as a whole at its end: every acknowledged snapshot restores, and maintenance has nothing left to do.
 *
 * A part of the rounds are the named moments, each dealt out once: a process dies at one place of all those at which the product
 * writes, syncs, renames or changes a database (faults/places.txt).
 *
 * The seed decides everything that we decide: trees, changes, kinds of rounds, steps and moments. What a moment hits, the
 * machine decides.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { badLine, stalledLine } from './rounds/bad-line.ts';
import { beside } from './rounds/beside.ts';
import { clockBack } from './rounds/clock-back.ts';
import { damage } from './rounds/damage.ts';
import { fileSystems } from './rounds/file-systems.ts';
import { fullDisk } from './rounds/full-disk.ts';
import { killBackup, killRestore } from './rounds/kill-agent.ts';
import { killEnrolment, killFirstStart } from './rounds/kill-beginning.ts';
import { killDaemon } from './rounds/kill-daemon.ts';
import { killInDamage } from './rounds/kill-in-damage.ts';
import { killRenewal } from './rounds/kill-renewal.ts';
import { killMaintenance, killServer } from './rounds/kill-server.ts';
import { rebuildIndex, recover, withoutServer } from './rounds/rebuild.ts';
import { revoke } from './rounds/revoke.ts';
import type { Round } from './rounds/round.ts';
import { requireCleanStore, requireWholeFiles } from './support/leftovers.ts';
import type { Random } from './support/random.ts';
import type { Tally } from './support/tally.ts';
import { World } from './support/world.ts';

export const ROUNDS: readonly Round[] = [
  killBackup,
  killServer,
  killDaemon,
  killRestore,
  killMaintenance,
  killFirstStart,
  killEnrolment,
  killRenewal,
  killInDamage,
  beside,
  damage,
  rebuildIndex,
  recover,
  withoutServer,
  revoke,
  badLine,
  stalledLine,
  fullDisk,
  clockBack,
  fileSystems,
];
export const ROUNDS_IN_A_WORLD = 20;

export type CampaignEvent =
  | { readonly kind: 'done'; readonly round: number; readonly name: string; readonly what: string; readonly ms: number }
  | {
      readonly kind: 'failed';
      readonly round: number;
      readonly name: string;
      readonly error: unknown;
      readonly world: World;
    };

export type WorldPlan = { readonly number: number; readonly first: number; readonly kinds: readonly Round[] };

/** Of the rounds, at most: the rest is drawn. */
const SHARE_OF_MOMENTS = 0.8;

/** Pure: the rounds of each world. The named moments are dealt out, in 500 rounds each of them once or more. */
export function planCampaign(
  random: Random,
  rounds: number,
  kinds: readonly Round[],
  moments: readonly Round[] = [],
): WorldPlan[] {
  const deck = kinds.flatMap((kind) => new Array<Round>(kind.weight).fill(kind));
  const draw = random.fork('kinds');
  const dealt = draw.shuffled(moments).slice(0, deck.length === 0 ? rounds : Math.floor(rounds * SHARE_OF_MOMENTS));
  const drawn = Array.from({ length: deck.length === 0 ? 0 : rounds - dealt.length }, () => draw.pick(deck));
  return inWorlds(draw.shuffled([...dealt, ...drawn]));
}

export function inWorlds(kinds: readonly Round[], firstWorld = 1): WorldPlan[] {
  const worlds: WorldPlan[] = [];
  for (let at = 0; at < kinds.length; at += ROUNDS_IN_A_WORLD) {
    const number = firstWorld + worlds.length;
    worlds.push({ number, first: at + 1, kinds: kinds.slice(at, at + ROUNDS_IN_A_WORLD) });
  }
  return worlds;
}

/** A failure ends the world: what comes after it would only show its consequences. Returns whether all went well. */
export async function runWorld(
  plan: WorldPlan,
  random: Random,
  onEvent: (event: CampaignEvent) => void,
  tally: Tally,
  keep = false,
): Promise<boolean> {
  const own = random.fork(`world ${plan.number}`);
  const world = new World(own);
  world.witness = join(world.folder, 'witness');
  const one = async (round: number, name: string, work: () => Promise<string>): Promise<boolean> => {
    const began = performance.now();
    try {
      onEvent({ kind: 'done', round, name, what: await work(), ms: performance.now() - began });
      return true;
    } catch (error) {
      onEvent({ kind: 'failed', round, name, error, world });
      return false;
    }
  };
  try {
    if (!(await one(plan.first, 'begin', () => begin(world)))) return false;
    for (const [i, kind] of plan.kinds.entries()) {
      const draw = own.fork(`round ${i + 1}`);
      if (!(await one(plan.first + i, kind.name, () => runRound(world, kind, draw)))) return false;
    }
    return await one(plan.first + plan.kinds.length - 1, 'end', () => goThrough(world));
  } finally {
    tally.hear(world.witness);
    await (keep ? world.stopServer('SIGKILL') : world.end());
  }
}

async function begin(world: World): Promise<string> {
  await world.begin();
  return `${world.devices.length} devices have backed up`;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Time that goes by between rounds; none most of the time, so that snapshots share their quarter hour. */
const PAUSES = [0, 0, 0, 20 * MINUTE, 20 * MINUTE, 3 * HOUR, 26 * HOUR, 8 * 24 * HOUR];

async function runRound(world: World, kind: Round, random: Random): Promise<string> {
  world.scene = kind.name.split(':')[0] as string;
  await world.advance(random.pick(PAUSES));
  const what = await kind.run(world, random);
  await requireAcknowledged(world);
  await world.restores(random.pick(world.ledger.all()), random.pick(world.devices));
  return what;
}

export async function requireAcknowledged(world: World): Promise<void> {
  world.ledger.compareWith(await world.snapshots(), world.now());
}

/** When all that is dead has gone, nothing is left to do, and everything acknowledged restores. No server is needed for it. */
export async function goThrough(world: World): Promise<string> {
  world.scene = 'end';
  await world.stopServer();
  for (let i = 0; i < 2; i++) {
    world.clockMs += 26 * HOUR;
    const { summary } = await world.maintain('all');
    const { failed, alerts, skipped, waiting } = summary;
    assert.deepEqual({ failed, alerts, skipped, waiting }, { failed: 0, alerts: 0, skipped: 0, waiting: 0 });
  }
  const { results } = await world.maintain('all');
  const left = { ...results['retention'], ...results['collect'] };
  for (const name of ['retired', 'condemned', 'deleted', 'deletedPacks', 'abandoned'])
    assert.equal(left[name], 0, name);
  assert.ok((results['verify']?.['damagedPacks'] ?? Number.NaN) <= world.damagedPacks);
  await world.startServer();
  requireCleanStore(world.storeDir);
  requireWholeFiles(world.data);
  await requireAcknowledged(world);
  const entries = world.ledger.all();
  for (const entry of entries) await world.restores(entry);
  return `${entries.length} snapshots, all restore`;
}
