import { returnFreeMemory } from '@holdfast/archive/system/native.ts';
import { AgentError, codeOf } from '../errors.ts';
import { isBelowFloor } from '../present/battery.ts';
import type { BackupSet } from '../sets/backup-set.ts';
import type { Due, Walk } from '../sets/schedule.ts';
import { type Device, readDevice } from '../state/device.ts';
import { readPause } from '../state/pause.ts';
import { readRenewal } from '../state/renewal.ts';
import type { RunFailure } from '../state/run-record.ts';
import { findSet, readSettings, type Settings, setsOf, valuesOf } from '../state/settings.ts';
import { VERSION } from '../version.ts';
import type { Handlers, Request } from './control.ts';
import { type Decision, decide } from './decide.ts';
import { failureOf } from './failure.ts';
import { Latch } from './latch.ts';
import { reportStatus } from './report-status.ts';
import type { RunEvent, RunReport } from './run-report.ts';
import { enrolled, Runner, type RunnerOptions } from './runner.ts';
import { duesOf, setStatuses } from './set-status.ts';
import { type DaemonStatus, type SetStatus, type Status, writeStatus } from './status.ts';
import { Surroundings } from './surroundings.ts';

/** The service's loop; see daemon.ts. One run at a time: several would only compete for the same disk and line. */
export type LoopOptions = RunnerOptions & {
  readonly pid: number;
  readonly untilIdle: boolean;
  readonly signal: AbortSignal;
};

/** A person's `holdfast backup`, waiting for its turn. */
type Asked = {
  readonly set: BackupSet;
  readonly walk: Walk;
  readonly gentle: boolean;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
  readonly settle: (outcome: Promise<RunReport[]>) => void;
};

/** The longest the loop goes without looking around: a timer may be late, a clock may be set. */
const LOOK_AROUND_MS = 60_000;
/** After a failure, whatever its record says: a disk that is full cannot even take the record. */
const HOLD_OFF_MS = 60_000;

type HeldOff = { readonly until: number; readonly failure: RunFailure };

export class Loop {
  private readonly options: LoopOptions;
  private readonly startedAt: number;
  private readonly surroundings: Surroundings;
  private readonly runner: Runner;
  private readonly wake = new Latch();
  private readonly asked: Asked[] = [];
  private readonly heldOff = new Map<string, HeldOff>();
  private settings: Settings;
  private device: Device | null;
  /** Stops the run that is due, not one that a person asked for. */
  private dueRun: { readonly set: string; readonly stop: AbortController } | null = null;
  private waiting: Extract<Decision, { kind: 'wait' }> | null = null;

  constructor(options: LoopOptions) {
    const { home, config, time, link, onEvent } = options;
    this.options = options;
    this.startedAt = time.now();
    this.settings = readSettings(home);
    this.device = readDevice(home);
    this.runner = new Runner(options);
    this.surroundings = new Surroundings({
      config,
      time,
      onWoke: (sleptMs) => onEvent({ kind: 'woke', sleptMs }),
      onLimits: (limits) => link.limit(limits),
    });
  }

  /** Resolves when it has stopped; rejects only for a fault of ours. */
  async run(): Promise<void> {
    const { signal, link, watcher } = this.options;
    const stop = (): void => this.wake.open();
    signal.addEventListener('abort', stop);
    const minute = setInterval(() => {
      watcher.probe();
      void this.lookAround();
    }, LOOK_AROUND_MS);
    try {
      await this.lookAround();
      while (!signal.aborted && (await this.step()));
    } finally {
      clearInterval(minute);
      signal.removeEventListener('abort', stop);
      link.close();
      for (const { settle } of this.asked) settle(Promise.reject(new AgentError('daemon_lost')));
    }
  }

  handlers(): Handlers {
    return {
      status: () => this.status(),
      standing: (signal) => this.askStanding(signal),
      reload: () => this.reload(),
      backup: (request, onEvent, signal) => this.ask(request, onEvent, signal),
    };
  }

  /** Of the device as it is enrolled now, which may not have been told yet. */
  private async askStanding(signal: AbortSignal): Promise<void> {
    const device = readDevice(this.options.home);
    if (device === null) throw new AgentError('not_enrolled');
    await this.options.link.ask(device, signal);
  }

  onWatch({ kind, set }: { readonly kind: 'changed' | 'watching' | 'lost'; readonly set: string }): void {
    if (kind !== 'changed') this.tellWatch(set);
    this.wake.open();
  }

  /** One decision and what follows from it; `false` ends the loop. */
  private async step(): Promise<boolean> {
    const request = this.asked.shift();
    if (request !== undefined) {
      await this.serve(request);
      return true;
    }
    const decision = this.decide();
    this.tellWaiting(decision);
    switch (decision.kind) {
      case 'run':
        await this.runDue(decision.due);
        return true;
      case 'probe':
        await this.probe();
        return true;
      case 'wait': {
        if (this.options.untilIdle) return false;
        this.publish();
        const left = decision.until === null ? LOOK_AROUND_MS : decision.until - this.options.time.now();
        await this.wake.wait(Math.min(Math.max(left, 0), LOOK_AROUND_MS));
        return true;
      }
      default:
        return decision satisfies never;
    }
  }

  private decide(): Decision {
    const { home, time, zone, watcher, link } = this.options;
    const now = time.now();
    const dues = duesOf(home, this.settings, watcher, now, zone).map((due) => ({
      ...due,
      at: Math.max(due.at, this.heldOff.get(due.set.id)?.until ?? 0),
    }));
    return decide({
      now,
      enrolled: enrolled(this.device) !== null,
      pause: readPause(home, now),
      power: this.surroundings.power,
      batteryFloor: valuesOf(this.settings)['battery.floor'],
      offline: link.offline,
      dues,
    });
  }

  private async runDue({ set, walk, because }: Due): Promise<void> {
    const stop = new AbortController();
    this.dueRun = { set: set.id, stop };
    const both = AbortSignal.any([this.options.signal, stop.signal]);
    const cpu = () => this.surroundings.limits.cpu;
    await this.finish(set, this.runner.run({ set, walk, because, cpu, signal: both, onEvent: () => {} }));
    this.dueRun = null;
  }

  private async serve({ set, walk, gentle, signal, onEvent, settle }: Asked): Promise<void> {
    if (signal.aborted) {
      settle(Promise.reject(signal.reason as Error));
      return;
    }
    const cpu = () => (gentle ? this.surroundings.limits.cpu : 1);
    const both = AbortSignal.any([signal, this.options.signal]);
    const run = this.runner.run({ set, walk, because: 'asked', cpu, signal: both, onEvent });
    settle(run);
    await this.finish(set, run);
  }

  private async finish(set: BackupSet, run: Promise<RunReport[]>): Promise<void> {
    const { time, onEvent } = this.options;
    try {
      await run;
      this.heldOff.delete(set.id);
    } catch (error) {
      const code = codeOf(error) ?? 'internal';
      const { message } = error as Error;
      if (code === 'interrupted') onEvent({ kind: 'note', set: set.name, text: 'stopped; what was sent is kept' });
      else {
        const now = time.now();
        this.heldOff.set(set.id, { until: now + HOLD_OFF_MS, failure: failureOf(error, now, null) });
        onEvent({ kind: 'failed', set: set.name, code, message });
      }
    }
    returnFreeMemory(); // nothing waits for it: whoever asked has the answer
    this.publish();
    await this.tellServer();
  }

  private async probe(): Promise<void> {
    const { link, signal, onEvent } = this.options;
    const device = enrolled(this.device);
    if (device === null) return;
    try {
      if (await link.probe(device, signal)) onEvent({ kind: 'back' });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  private ask(
    request: Extract<Request, { do: 'backup' }>,
    onEvent: (event: unknown) => void,
    signal: AbortSignal,
  ): Promise<RunReport[]> {
    if (enrolled(this.device) === null) throw new AgentError('not_enrolled');
    const sets = request.sets.map((id) => findSet(this.settings, id));
    const walk: Walk = request.allFolders ? 'everything' : 'changed';
    const runs = sets.map((set) => {
      const { promise, resolve } = Promise.withResolvers<RunReport[]>();
      this.asked.push({ set, walk, gentle: request.gentle, signal, onEvent, settle: resolve });
      return promise;
    });
    this.wake.open();
    return Promise.all(runs).then((reports) => reports.flat());
  }

  private reload(): void {
    const { home, watcher } = this.options;
    const before = setsOf(this.settings);
    this.settings = readSettings(home);
    this.device = readDevice(home);
    const now = setsOf(this.settings);
    const { watch } = valuesOf(this.settings);
    const isSame = (set: BackupSet) => now.some((each) => JSON.stringify(each) === JSON.stringify(set));
    for (const set of before) if (!watch || !isSame(set)) watcher.unsubscribe(set.id);
    const { dueRun } = this;
    if (dueRun !== null && !now.some(({ id }) => id === dueRun.set)) dueRun.stop.abort(new AgentError('interrupted'));
    this.heldOff.clear();
    void this.lookAround();
  }

  /** Who is present, what the device runs on; stops what should not go on. */
  private async lookAround(): Promise<void> {
    const values = valuesOf(this.settings);
    await this.surroundings.look(values);
    const { home, time } = this.options;
    const isPaused = readPause(home, time.now()) !== null;
    if (isPaused || isBelowFloor(this.surroundings.power, values['battery.floor'])) {
      this.dueRun?.stop.abort(new AgentError('interrupted'));
    }
    this.wake.open();
  }

  private async tellServer(): Promise<void> {
    const { home, link, signal } = this.options;
    const device = enrolled(this.device);
    if (device === null || link.offline !== null || signal.aborted) return;
    try {
      const changed = await reportStatus({
        home,
        device,
        now: this.options.time.now(),
        link,
        settings: this.settings,
        status: this.status(),
        signal,
      });
      if (changed !== null) this.reload();
    } catch (error) {
      if (!signal.aborted) this.trouble('report to the server', error);
    }
  }

  private trouble(what: string, error: unknown): void {
    const { message } = error as Error;
    this.options.onEvent({ kind: 'trouble', what, code: codeOf(error) ?? 'internal', message });
  }

  private tellWaiting(decision: Decision): void {
    const why = decision.kind === 'wait' ? decision.why : null;
    const before = this.waiting?.why ?? null;
    this.waiting = decision.kind === 'wait' ? decision : null;
    if (why !== null && why.code !== before?.code) this.options.onEvent({ kind: 'waiting', why });
  }

  private tellWatch(set: string): void {
    const state = this.options.watcher.state(set);
    const name = setsOf(this.settings).find(({ id }) => id === set)?.name ?? set;
    const detail =
      state.kind === 'lost' ? state.why.detail : state.kind === 'watching' ? `${state.folders} folders` : '';
    const word = state.kind === 'lost' ? state.why.kind : state.kind;
    this.options.onEvent({ kind: 'watch', set: name, state: word, detail });
  }

  /** A full disk must not end the service that waits for it to be emptied. */
  private publish(): void {
    try {
      writeStatus(this.options.home, this.status());
    } catch (error) {
      this.trouble('status file', error);
    }
  }

  private status(): Status {
    const { home, time, zone, watcher } = this.options;
    const now = time.now();
    const { device } = this;
    return {
      version: VERSION,
      device: device && { id: device.id, name: device.name, user: device.user.name, server: device.authority.base },
      daemon: this.daemonStatus(),
      pause: readPause(home, now),
      renewal: readRenewal(home).due,
      sets: setStatuses(home, this.settings, watcher, now, zone).map((set) => this.withFailure(set)),
    };
  }

  /** What the record could not take. */
  private withFailure(set: SetStatus): SetStatus {
    const held = this.heldOff.get(set.id);
    if (held === undefined || set.run.failure !== null) return set;
    const next = { ...set.next, at: Math.max(set.next.at, held.until), because: 'retry' as const };
    return { ...set, next, run: { ...set.run, failure: held.failure } };
  }

  private daemonStatus(): DaemonStatus {
    const { surroundings, startedAt } = this;
    const { running } = this.runner;
    const waiting = running === null ? this.waiting : null;
    return {
      pid: this.options.pid,
      startedAt,
      state: running !== null ? 'running' : waiting?.why ? 'waiting' : 'idle',
      waiting: waiting?.why ?? null,
      until: waiting?.until ?? null,
      running,
      presence: surroundings.presence,
      limits: surroundings.limits,
      power: surroundings.power,
      slept: surroundings.slept,
    };
  }
}
