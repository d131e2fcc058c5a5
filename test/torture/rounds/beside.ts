/** Retention, collect, compaction, verify and reconcile run again and again while two devices back up and restore. */
import assert from 'node:assert/strict';
import type { Random } from '../support/random.ts';
import { together } from '../support/together.ts';
import { changeTree, recallLarge } from '../support/tree.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const JOBS = ['retention', 'collect', 'compact', 'collect', 'verify', 'collect', 'reconcile', 'resume'] as const;
const LARGE_BYTES = 20_000_000;
const HOUR = 3_600_000;

export const beside: Round = {
  name: 'beside',
  weight: 4,
  async run(world, random) {
    // Only what is older than an hour is collected
    await world.advance(random.pick([2, 5, 26]) * HOUR);
    const { jobs, deleted, rewritten } = await maintainBeside(world, random, 2);
    return `${jobs} jobs, ${deleted} chunks deleted, ${rewritten} packs rewritten`;
  },
};

export type BesideResult = { jobs: number; deleted: number; rewritten: number };

/** Each device backs up and restores `times`. */
export async function maintainBeside(world: World, random: Random, times: number): Promise<BesideResult> {
  const result: BesideResult = { jobs: 0, deleted: 0, rewritten: 0 };
  const lives = world.devices.map((device) => live(world, device, random.fork(device.name), times));
  let busy = true;
  const ended = together(lives).finally(() => {
    busy = false;
  });
  const maintaining = (async () => {
    for (const jobs = [...JOBS]; busy; ) {
      const job = jobs.shift() as (typeof JOBS)[number];
      jobs.push(job);
      const { summary, results } = await world.maintain(job);
      assert.deepEqual([summary.failed, summary.alerts, summary.skipped], [0, 0, 0], job);
      result.jobs += 1;
      result.deleted += results['collect']?.['deleted'] ?? 0;
      result.rewritten += results['compact']?.['rewritten'] ?? 0;
    }
  })();
  await together<unknown>([ended, maintaining]);
  return result;
}

async function live(world: World, device: Device, random: Random, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    changeTree(device.tree, random);
    if (random.chance(0.6)) recallLarge(device.tree, LARGE_BYTES, random);
    await world.backup(device);
    const newest = world.ledger.newest(device.name);
    assert.ok(newest);
    await world.restores(newest);
  }
}
