/**
 * The service dies: while it starts, while it backs up by itself, while it watches, pauses or takes new settings. Started again it
 * goes on without help, and what it had been told stands.
 */
import assert from 'node:assert/strict';
import { EXIT } from '../../../packages/agent/src/cli/exit-codes.ts';
import type { Manifest } from '../../../scripts/manifest.ts';
import { answer } from '../../../scripts/processes.ts';
import { type Death, type End, someEnd } from '../faults/faults.ts';
import { Daemon, JUMP_MS, nextReport, whileRuns } from '../support/daemon.ts';
import { requireTidyHome } from '../support/leftovers.ts';
import type { Random } from '../support/random.ts';
import { changeTree, rewriteLarge } from '../support/tree.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const PACK = '^PUT .*/packs/';
const COMMIT = '^POST .*/snapshots$';

/** Each comes in the run that is due when it starts, or in the one for what the watcher saw. */
export const DAEMON_MOMENTS: Readonly<Record<string, Death>> = {
  'when the first pack is acknowledged': { step: 'request', nth: 1, when: 'after', about: PACK },
  'before its first commit': { step: 'request', nth: 1, when: 'before', about: COMMIT },
  'when its first commit is acknowledged': { step: 'request', nth: 1, when: 'after', about: COMMIT },
  'before it commits what the watcher saw': { step: 'request', nth: 2, when: 'before', about: COMMIT },
  'when what the watcher saw is committed': { step: 'request', nth: 2, when: 'after', about: COMMIT },
};

const STEPS = ['write', 'sync', 'rename', 'unlink', 'mkdir', 'request'] as const;
const LARGE_BYTES = 20_000_000;
/** How much longer than a backup its life in a round takes: it starts, backs up twice, takes settings and a pause between. */
const LIVES = 4;

export const killDaemon: Round = {
  name: 'kill-daemon',
  weight: 6,
  async run(world, random) {
    const device = random.pick(world.devices);
    const { end, text } = someEnd(random, LIVES * world.took.backup, STEPS, DAEMON_MOMENTS);
    return `${device.name}: ${text}, ${await daemonDies(world, device, random, end)}`;
  },
};

export async function daemonDies(world: World, device: Device, random: Random, end: End): Promise<string> {
  changeTree(device.tree, random);
  if (random.chance(0.6)) rewriteLarge(device.tree, LARGE_BYTES, random);
  await world.advance(JUMP_MS);
  const life = new Life(world, device);
  const died = await life.through(random, end);
  await world.advance(2 * JUMP_MS);
  await goesOn(world, device, life.manifest);
  return `${died ? 'died' : 'lived on'} after ${life.done.join(', ') || 'nothing'}`;
}

/** What it does in a round, until it dies of it. */
class Life {
  /** Of the tree that it backs up now. */
  manifest: Manifest;
  readonly done: string[] = [];
  private readonly world: World;
  private readonly device: Device;

  constructor(world: World, device: Device) {
    this.world = world;
    this.device = device;
    this.manifest = world.manifest(device);
  }

  /** Returns whether it died. */
  async through(random: Random, end: End): Promise<boolean> {
    const daemon = new Daemon(this.world, this.device, { jumpMs: JUMP_MS, ...end });
    const steps = [
      () => this.backsUp(daemon, 'what was due'),
      () => this.seesChanges(daemon, random),
      ...random.shuffled([() => this.pauses(), () => this.takesSettings(random)]),
      () => this.backsUp(daemon, 'what the watcher saw'),
    ];
    return whileRuns(daemon, async () => {
      for (const step of steps) if (!(await step())) break;
    });
  }

  /** By itself. Returns whether it lived to tell. */
  private async backsUp(daemon: Daemon, what: string): Promise<boolean> {
    const report = await nextReport(daemon);
    if (report === null) return false;
    this.world.acknowledged(this.device, report, this.manifest);
    this.done.push(what);
    return true;
  }

  private async pauses(): Promise<boolean> {
    return (await this.hears(['pause', '--for', '8h'])) && this.hears(['resume']);
  }

  private takesSettings(random: Random): Promise<boolean> {
    const value = `${random.pick([5, 10, 20, 30])}m`;
    return this.hears(['config', 'set', 'away.after', value]);
  }

  /**
   * Whether it lived to answer. A pause and settings are written down before it is told, so they stand whether it lives or not; a command
   * that it leaves without an answer says so.
   */
  private async hears(args: readonly string[]): Promise<boolean> {
    const ended = await this.world.onDevice(this.device, args);
    if (ended.code === EXIT.offline && `${ended.stdout}${ended.stderr}`.includes('daemon_lost')) return false;
    answer(ended);
    return true;
  }

  /** All of it is there before the next run is due, so it is certain of which tree that is; what it is told next wakes it. */
  private async seesChanges(daemon: Daemon, random: Random): Promise<boolean> {
    changeTree(this.device.tree, random);
    this.manifest = this.world.manifest(this.device);
    daemon.jump();
    return true;
  }
}

/** Started again while it is paused it waits, and when that is over it backs up; nobody clears anything away for it. */
async function goesOn(world: World, device: Device, manifest: Manifest): Promise<void> {
  answer(await world.onDevice(device, ['pause']));
  await whileRuns(new Daemon(world, device), async (daemon) => {
    const waits = await daemon.until(({ event }) => event === 'waiting' || event === 'done');
    assert.equal(waits?.event, 'waiting', 'the pause stands');
    await world.adopt(device, manifest);
    answer(await world.onDevice(device, ['resume']));
    const report = await nextReport(daemon);
    assert.ok(report, 'it lives');
    world.acknowledged(device, report, manifest);
  });
  requireTidyHome(device.home);
}
