/**
 * Many rounds, in worlds of twenty. A world begins with two devices, suffers its rounds one after the other, and is gone
 * through as a whole at its end: every acknowledged snapshot restores, and maintenance has nothing left to do.
 *
 * The seed decides everything that we decide: trees, changes, kinds of rounds, steps and moments. What a moment hits, the
 * machine decides.
 */
import assert from 'node:assert/strict';
import { beside } from './rounds/beside.ts';
import { damage } from './rounds/damage.ts';
import { killBackup, killRestore } from './rounds/kill-agent.ts';
import { killEnrolment, killFirstStart } from './rounds/kill-beginning.ts';
import { killMaintenance, killServer } from './rounds/kill-server.ts';
import { rebuildIndex, recover, withoutServer } from './rounds/rebuild.ts';
import { revoke } from './rounds/revoke.ts';
import type { Round } from './rounds/round.ts';
import { requireCleanStore } from './support/leftovers.ts';
import type { Random } from './support/random.ts';
import { World } from './support/world.ts';

export const ROUNDS: readonly Round[] = [
  killBackup,
  killServer,
  killRestore,
  killMaintenance,
  killFirstStart,
  killEnrolment,
  beside,
  damage,
  rebuildIndex,
  recover,
  withoutServer,
  revoke,
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

/** Pure: the rounds of each world. */
export function planCampaign(random: Random, rounds: number, kinds: readonly Round[]): WorldPlan[] {
  const deck = kinds.flatMap((kind) => new Array<Round>(kind.weight).fill(kind));
  const worlds: WorldPlan[] = [];
  for (let first = 1; first <= rounds; first += ROUNDS_IN_A_WORLD) {
    const number = worlds.length + 1;
    const draw = random.fork(`kinds of world ${number}`);
    const count = Math.min(ROUNDS_IN_A_WORLD, rounds - first + 1);
    worlds.push({ number, first, kinds: Array.from({ length: count }, () => draw.pick(deck)) });
  }
  return worlds;
}

/** A failure ends the world: what comes after it would only show its consequences. Returns whether all went well. */
export async function runWorld(
  plan: WorldPlan,
  random: Random,
  onEvent: (event: CampaignEvent) => void,
  keep = false,
): Promise<boolean> {
  const own = random.fork(`world ${plan.number}`);
  const world = new World(own);
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
  await requireAcknowledged(world);
  const entries = world.ledger.all();
  for (const entry of entries) await world.restores(entry);
  return `${entries.length} snapshots, all restore`;
}
