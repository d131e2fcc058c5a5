/** The network between a device and the server fails now and then: it is tried again, or said; what was acknowledged is kept. */
import assert from 'node:assert/strict';
import { answer, type Ended } from '../../../scripts/processes.ts';
import type { End } from '../faults/faults.ts';
import { FATES, type Fate, type FaultyLine, faultyLine, type LineOptions } from '../support/faulty-line.ts';
import type { Random } from '../support/random.ts';
import { changeTree, rewriteLarge } from '../support/tree.ts';
import { type Device, SET, type World } from '../support/world.ts';
import type { Round } from './round.ts';

const LARGE_BYTES = 20_000_000;
/** A run that meets too much says so and is tried again; an unlucky one is, more often. */
const MOST_RUNS = 12;

/** Of the requests that are hurt. */
const SHARES = [0, 0.02, 0.1, 0.2, 0.35, 0.5];

export const badLine: Round = {
  name: 'bad-line',
  weight: 3,
  async run(world, random) {
    const device = random.pick(world.devices);
    changeTree(device.tree, random);
    rewriteLarge(device.tree, LARGE_BYTES, random);
    return badLineIsBorne(world, device, random, random.pick(SHARES));
  },
};

export const stalledLine: Round = {
  name: 'stalled-line',
  weight: 1,
  async run(world, random) {
    const device = random.pick(world.devices);
    changeTree(device.tree, random);
    rewriteLarge(device.tree, LARGE_BYTES, random);
    return stalledLineIsLeft(world, device);
  },
};

type Line = Pick<LineOptions, 'fate' | 'retryAfterSeconds' | 'lateMs'>;

async function onLine<T>(world: World, line: Line, work: (road: End, line: FaultyLine) => Promise<T>): Promise<T> {
  const to = world.httpsPort;
  const opened = await faultyLine({ ...line, to, data: world.data });
  try {
    return await work({ road: { from: to, to: opened.port } }, opened);
  } finally {
    await opened.close();
  }
}

/** A backup and a restore over a line of which this share of the requests fails. */
export async function badLineIsBorne(world: World, device: Device, random: Random, share: number): Promise<string> {
  const fate = (): Fate => (random.chance(share) ? random.pick(FATES) : 'passed');
  const lateMs = (): number => random.below(400);
  return onLine(world, { fate, lateMs, retryAfterSeconds: 1 }, async (road, { met, packs }) => {
    const backups = await untilDone(() => world.disturbedBackup(device, road, RETRYABLE));
    const entry = world.ledger.newest(device.name);
    assert.ok(entry);
    const to = world.newFolder();
    const restores = await untilDone(() => world.onDevice(device, world.restoreArgs(device, entry, to), road));
    world.requireEqual(entry, to);
    world.discard(to);
    assert.equal((await world.backup(device)).kind, 'current', 'nothing is left to do');
    assert.equal(packs.needless, 0, 'no pack is sent again once the device knows that it is stored');
    const { passed = 0, ...faults } = met;
    const sum = Object.values(faults).reduce((all, one) => all + one, 0);
    const sent = `${megabytes(packs.bytes)} sent for ${megabytes(packs.acknowledged)}`;
    return `${Math.round(share * 100)} % of requests hurt: ${sum} of ${sum + passed}, ${backups} backups, ${restores} restores, ${sent}`;
  });
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** In the middle of its first pack nothing moves any more. The device does not wait for ever: it sends the pack again. */
async function stalledLineIsLeft(world: World, device: Device): Promise<string> {
  let stalled = 0;
  const fate: Line['fate'] = ({ method, path }) =>
    method === 'PUT' && path.includes('/packs/') && stalled++ === 0 ? 'stalled' : 'passed';
  return onLine(world, { fate }, async (road) => {
    const { code, stdout } = await world.disturbedBackup(device, road, RETRYABLE);
    assert.equal(code, 0, stdout);
    assert.ok(stalled > 1, 'the pack was sent again');
    assert.equal((await world.backup(device)).kind, 'current', 'nothing is left to do');
    return 'a pack stalled and was sent again';
  });
}

const FAILED = 1;
const OFFLINE = 5;
const RETRYABLE = [0, FAILED, OFFLINE];

/** Returns how many runs it took. Each that did not end well says why. */
async function untilDone(run: () => Promise<Ended>): Promise<number> {
  for (let runs = 1; runs <= MOST_RUNS; runs++) {
    const ended = await run();
    if (ended.code === 0) return runs;
    requireAdvice(ended);
  }
  throw new Error(`not done after ${MOST_RUNS} runs`);
}

type Refusal = { readonly code: string; readonly message: string };

function requireAdvice(ended: Ended): Refusal {
  const { error } = answer<{ error: Refusal }>(ended, RETRYABLE);
  assert.notEqual(error.code, 'internal', ended.stdout);
  assert.match(error.message, /\S \S/, 'advice');
  return error;
}

/**
 * All packs are acknowledged, and then the server is busy for an hour. The run gives up and says why, in `status` too; the next one,
 * on a good line, sends only what the server lacks.
 */
export async function closedLineKeepsProgress(world: World, device: Device): Promise<string> {
  const fate: Line['fate'] = ({ method, path }) =>
    method === 'POST' && path.endsWith('/snapshots') ? 'busy' : 'passed';
  const error = await onLine(world, { fate, retryAfterSeconds: 3600 }, async (road) =>
    requireAdvice(await world.disturbedBackup(device, road, RETRYABLE)),
  );
  const status = answer<Status>(await world.onDevice(device, ['status']));
  const told = status.sets.find(({ name }) => name === SET)?.run.failure;
  assert.equal(told?.code, error.code, 'status says it');
  const { stats } = await world.backup(device);
  return `${error.code}, then ${Math.round(stats.bytesStored / 1e6)} MB`;
}

type Status = {
  readonly sets: readonly { readonly name: string; readonly run: { readonly failure: Refusal | null } }[];
};
