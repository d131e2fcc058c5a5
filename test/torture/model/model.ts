/**
 * The model: three devices back up into one archive and restore from it, retention, collect, compaction, verify and reconcile go on beside
 * them, processes die and clocks jump, all in an order that a seed decides, down to single transactions. After every step what the storage
 * role has is compared with the reference (reference.ts).
 *
 * Nouns: an *actor* is a backup, a restore or a job, stopped before each of its steps on the store point; an *event* is what the seed has
 * happen next: an actor goes some steps further, is begun or dies, a clock is set, a policy decided, or the whole engine backs up or
 * restores, with others going on between its requests.
 *
 * Everything is in one thread but the engine's worker, and no chance but the seed's is at work: one seed, one log.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '@holdfast/archive/format/ids.ts';
import type { JobName } from '../../../packages/server/src/storage/maintenance/events.ts';
import type { ArchivePolicy } from '../../../packages/server/src/storage/maintenance/policy.ts';
import type { Actor } from '../../../packages/server/src/storage/testing/actor.ts';
import { type Clause, CutCollect } from '../../../packages/server/src/storage/testing/cut-collect.ts';
import { Random } from '../support/random.ts';
import { Clients } from './clients.ts';
import { Device } from './device.ts';
import { beginJob, type Job } from './maintaining.ts';
import { type Kept, Reference } from './reference.ts';
import { relapse } from './relapse.ts';
import { RetentionRecord } from './retention-record.ts';
import { OFFSETS, POLICIES } from './settings.ts';
import { settle } from './settle.ts';
import { Site } from './site.ts';
import { backUpWhole, restoreWhole } from './whole.ts';

export type ModelOptions = {
  readonly seed: string;
  readonly days: number;
  readonly eventsADay: number;
  /** Days between two uses of the whole engine; 0: never. */
  readonly wholeEvery: number;
  /** `none`: collect as it is; everything else is made of its stages, see cut-collect.ts. */
  readonly leftOut?: 'none' | 'nothing' | Clause;
  readonly onLine?: (line: string) => void;
};

export type ModelReport = {
  /** Of everything that happened. */
  readonly hash: string;
  readonly broken: Error | null;
  readonly counts: Readonly<Record<string, number>>;
};

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const DEVICES = ['laptop', 'desktop', 'server'];
const JOBS_AT_ONCE = 2;
/** How far an actor goes at most before something else happens; mostly it is much less. */
const MOST_STEPS = 32;

export class Model {
  private readonly options: ModelOptions;
  private readonly random: Random;
  private readonly site: Site;
  private readonly folder: string;
  private readonly reference: Reference;
  private readonly clients: Clients;
  private readonly retention: RetentionRecord;
  private readonly cut: CutCollect | null;
  private readonly devices: readonly Device[];
  private readonly jobs: Job[] = [];
  private readonly quick = new WeakSet<Actor<unknown>>();
  private readonly log = createHash('sha256');
  private readonly counts: Record<string, number> = {};
  private policy: ArchivePolicy = POLICIES[0] as ArchivePolicy;
  private events = 0;
  /** Without what the clock was set off by. */
  private time: number;
  private offset = 0;

  static async run(options: ModelOptions): Promise<ModelReport> {
    const random = new Random(options.seed);
    const site = await Site.make(random);
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-model-'));
    try {
      return await new Model(options, random, site, folder).run();
    } finally {
      await site.point.index.close();
      rmSync(folder, { recursive: true });
    }
  }

  private constructor(options: ModelOptions, random: Random, site: Site, folder: string) {
    const { leftOut = 'none' } = options;
    this.options = options;
    this.random = random.fork('events');
    this.site = site;
    this.folder = folder;
    this.retention = new RetentionRecord(site);
    this.reference = new Reference(site, this.retention);
    this.cut = leftOut === 'none' ? null : new CutCollect(leftOut);
    this.clients = new Clients(
      site,
      this.reference,
      this.cut,
      (what) => this.note(what),
      (what) => this.count(what),
    );
    this.devices = DEVICES.map((name) => new Device(site, name, random, folder));
    this.time = site.point.clock.now;
  }

  private async run(): Promise<ModelReport> {
    let broken: Error | null = null;
    try {
      for (let day = 0; day < this.options.days; day++) await this.day(day);
      await this.end();
    } catch (error) {
      broken = error instanceof Error ? error : new Error(String(error));
      this.note(`broken: ${broken.message}`);
    } finally {
      await this.killAll();
    }
    this.counts['events'] = this.events;
    for (const name of [
      'chunks_condemned',
      'chunks_rescued',
      'chunks_deleted',
      'packs_deleted',
      'packs_compacted',
    ] as const)
      this.counts[name] = this.site.point.metrics.counts[name] ?? 0;
    return { hash: this.log.digest('hex'), broken, counts: this.counts };
  }

  private async day(day: number): Promise<void> {
    const midnight = this.time + DAY;
    for (let i = 0; i < this.options.eventsADay; i++) {
      this.pass(this.random.below(4 * MINUTE));
      await this.event();
    }
    const { wholeEvery } = this.options;
    if (wholeEvery > 0 && day % wholeEvery === 0) await this.useEngine();
    const kept = this.someSnapshot();
    if (kept !== undefined) await this.clients.readWhole(kept);
    this.pass(Math.max(0, midnight - this.time));
  }

  private pass(ms: number): void {
    this.time += ms;
    this.site.point.clock.now = this.time + this.offset;
  }

  private async event(): Promise<void> {
    const { random } = this;
    const device = random.pick(this.devices);
    const what = random.below(200);
    if (what < 90) await this.maintain();
    else if (what < 192) await this.goOn(device);
    else if (what < 193) await this.relapse(device);
    else if (what < 196) await this.setBack(device);
    else if (what < 198) await this.die(device);
    else if (what < 199) this.decide();
    else this.setClock();
    await this.compare();
  }

  private async compare(): Promise<void> {
    this.events += 1;
    for (const change of await this.reference.compareSnapshots()) this.note(change);
    const { counts } = this.site.point.metrics;
    const taken = (counts.chunks_deleted ?? 0) + (counts.packs_deleted ?? 0) + (counts.packs_compacted ?? 0);
    if (taken === this.takenBefore) return;
    this.takenBefore = taken;
    await this.reference.requireReadable();
  }

  /** Nothing else can take a location away. */
  private takenBefore = 0;

  private async maintain(): Promise<void> {
    const { random } = this;
    if (this.jobs.length === 0 || (this.jobs.length < JOBS_AT_ONCE && random.chance(0.1))) this.begin(this.chooseJob());
    const job = random.pick(this.jobs);
    await this.goOnWith(job, random.chance(0.05) ? Number.POSITIVE_INFINITY : random.magnitude(MOST_STEPS));
  }

  private chooseJob(): JobName {
    const what = this.random.below(100);
    if (what < 45) return 'collect';
    if (what < 60) return 'resume';
    if (what < 90) return 'retention';
    if (what < 95) return 'compact';
    return what < 98 ? 'verify' : 'reconcile';
  }

  private begin(name: JobName): void {
    this.note(`${name} begins`);
    const job = beginJob(this.site, name, this.retention, async () => this.policy, this.cut);
    for (const other of this.jobs.filter((one) => one.name === name)) {
      other.isAlone = false;
      job.isAlone = false;
    }
    this.jobs.push(job);
  }

  private async goOnWith(job: Job, steps: number): Promise<void> {
    for (let left = steps; left > 0 && !job.actor.over; left--) await job.actor.step();
    if (!job.actor.over) return;
    this.jobs.splice(this.jobs.indexOf(job), 1);
    const end = job.actor.result;
    this.note(`${job.name} ends: ${JSON.stringify(end)}`);
    this.count(job.name);
    if (job.name !== 'retention' || end?.how !== 'finished' || !job.isAlone) return;
    await this.compare();
    await this.retention.requireDone((id) => this.reference.kept.has(id));
  }

  private async goOn(device: Device): Promise<void> {
    device.doing ??= this.begun(device);
    const { doing } = device;
    if (doing === null) return;
    for (let left = this.stepsOf(doing); left > 0 && !doing.over; left--) await doing.step();
    if (doing.over) device.doing = null;
  }

  /** Some backups are over at once; others, and restores, go on while much else happens. */
  private stepsOf(doing: Actor<unknown>): number {
    return this.quick.has(doing) ? Number.POSITIVE_INFINITY : this.random.magnitude(MOST_STEPS / 2);
  }

  private begun(device: Device): Actor<unknown> | null {
    if (this.random.chance(0.3)) {
      const kept = this.someSnapshot();
      if (kept === undefined) return null;
      return this.clients.restore(device, kept);
    }
    device.change(this.random);
    const backup = this.clients.backUp(device);
    if (this.random.chance(0.4)) this.quick.add(backup);
    return backup;
  }

  private someSnapshot(): Kept | undefined {
    const all = [...this.reference.kept.values()];
    return all.length === 0 ? undefined : this.random.pick(all);
  }

  private async die(device: Device): Promise<void> {
    const what = this.random.below(4);
    if (what === 0) await this.killAll();
    else if (what === 1) await this.killDevice(device);
    else if (this.jobs.length > 0) await this.killJob(this.random.pick(this.jobs));
  }

  private async killJob(job: Job): Promise<void> {
    this.jobs.splice(this.jobs.indexOf(job), 1);
    await job.kill();
    this.note(`${job.name} dies`);
    this.count('kills');
  }

  private async killDevice(device: Device): Promise<void> {
    if (device.doing === null) return;
    await device.doing.kill();
    device.doing = null;
    this.note(`${device.identity.name} dies`);
    this.count('kills');
  }

  /** The server: whatever is under way with it ends. */
  private async killAll(): Promise<void> {
    for (const job of [...this.jobs]) await this.killJob(job);
    for (const device of this.devices) await this.killDevice(device);
  }

  private async setBack(device: Device): Promise<void> {
    if (!device.hasImage) return;
    await this.killDevice(device);
    device.setBack(this.random);
    this.note(`${device.identity.name} is as it was before`);
    this.count('old images');
  }

  private async relapse(device: Device): Promise<void> {
    for (const each of this.devices) await this.finish(each);
    this.count('relapses');
    await relapse(device, this.random, {
      note: (what) => this.note(what),
      pass: (ms) => this.pass(ms),
      runNow: (job) => this.runNow(job),
      backUp: async () => {
        device.doing = this.clients.backUp(device);
        await this.finish(device);
      },
    });
  }

  private async finish(device: Device): Promise<void> {
    const { doing } = device;
    device.doing = null;
    while (doing !== null && !doing.over) await doing.step();
    await this.compare();
  }

  /** After the others, with which it may not be at the same time. */
  private async runNow(name: JobName): Promise<void> {
    for (const other of [...this.jobs]) {
      await this.goOnWith(other, Number.POSITIVE_INFINITY);
      // The record of retention knows the plan of the last run only
      await this.compare();
    }
    this.begin(name);
    await this.goOnWith(this.jobs[0] as Job, Number.POSITIVE_INFINITY);
    await this.compare();
  }

  private decide(): void {
    this.policy = this.random.pick(POLICIES);
    this.note(`policy ${JSON.stringify(this.policy)}`);
  }

  private setClock(): void {
    this.offset = this.random.pick(OFFSETS);
    this.pass(0);
    this.note(`clock off by ${this.offset}`);
    this.count('clock jumps');
  }

  /** The engine as a whole; between its requests the others go on. */
  private async useEngine(): Promise<void> {
    const device = this.random.pick(this.devices);
    // The engine asks several things at once; the others take one step at a time.
    let last = Promise.resolve();
    const others = {
      before: () => {
        last = last.then(() => this.othersGoOn());
        return last;
      },
    };
    device.change(this.random);
    const { tree } = device;
    const snapshot = (object: Uint8Array) => this.reference.snapshotSent(object, tree);
    const endpoint = this.clients.endpoint(device.identity, this.site.point, { ...others, snapshot });
    const result = await backUpWhole({
      endpoint,
      keys: this.site.keys,
      device: device.identity,
      setId: device.wholeSet,
      tree,
      cacheDir: device.cacheDir,
      now: () => this.site.point.clock.now,
      seed: `${this.options.seed}/${this.events}`,
    });
    if (result.kind === 'committed') this.reference.acknowledged(result.snapshotId);
    this.note(`the engine of ${device.identity.name}: ${result.kind} ${toHex(result.snapshotId).slice(0, 8)}`);
    this.count('whole backups');
    await this.compare();
    const kept = this.someSnapshot() as Kept;
    const reading = this.clients.endpoint(device.identity, this.site.point, others);
    await restoreWhole(reading, this.site.keys, kept.envelope.root, kept.tree, this.folder);
    this.note(`the engine restores ${kept.id.slice(0, 8)}`);
    this.count('whole restores');
  }

  private async othersGoOn(): Promise<void> {
    for (let i = this.random.below(4); i > 0; i--) {
      this.pass(this.random.below(MINUTE));
      await this.maintain();
      await this.compare();
    }
  }

  /** Everything comes to rest; then nothing may be left that nobody needs, and everything be there that somebody does. */
  private async end(): Promise<void> {
    await this.killAll();
    this.note(
      JSON.stringify(
        await settle(
          this.site,
          this.reference,
          (ms) => this.pass(ms),
          (name) => this.runNow(name),
        ),
      ),
    );
    for (const kept of this.reference.kept.values()) await this.clients.readWhole(kept);
  }

  private count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  private note(what: string): void {
    const line = `${this.events} ${new Date(this.site.point.clock.now).toISOString()} ${what}`;
    this.log.update(`${line}\n`);
    this.options.onLine?.(line);
  }
}
