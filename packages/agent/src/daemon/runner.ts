import type { Workers } from '@holdfast/archive/backup/kept-workers.ts';
import type { Config } from '../config.ts';
import { AgentError, codeOf } from '../errors.ts';
import type { FillRandom } from '../keys/device-keys.ts';
import type { Time } from '../limits/token-bucket.ts';
import { type BackupSet, expandRoots } from '../sets/backup-set.ts';
import { compileExclusions } from '../sets/globs.ts';
import type { Walk } from '../sets/schedule.ts';
import { type Device, type EnrolledDevice, readDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { readSettings, valuesOf } from '../state/settings.ts';
import type { Watcher } from '../watch/watcher.ts';
import { backUpSet } from './back-up-set.ts';
import type { DaemonEvent } from './daemon-event.ts';
import { explainFailure, isOffline } from './failure.ts';
import { observeRun, type RunEvent, type RunReport } from './run-report.ts';
import type { ServerLink } from './server-link.ts';
import type { Running } from './status.ts';
import { watchHistory } from './watch-history.ts';

/** Runs one set for the service: watch, walk, tell. What is known of the run in progress is kept here for `status`. */
export type RunnerOptions = {
  readonly home: Home;
  readonly config: Config;
  readonly time: Time;
  readonly zone: string;
  readonly fillRandom: FillRandom;
  readonly watcher: Watcher;
  readonly link: ServerLink;
  /** Of all runs, one after the other. */
  readonly threads: Workers;
  readonly onEvent: (event: DaemonEvent) => void;
};

export type RunRequest = {
  readonly set: BackupSet;
  /** What is wanted; without a watcher to rely on it is everything. */
  readonly walk: Walk;
  readonly because: Extract<DaemonEvent, { kind: 'run' }>['because'];
  readonly cpu: () => number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: RunEvent) => void;
};

export class Runner {
  running: Running | null = null;
  private readonly options: RunnerOptions;
  /** Whose run it is. */
  private request: RunRequest | null = null;

  constructor(options: RunnerOptions) {
    this.options = options;
    options.link.onWait((why) => {
      if (this.request !== null) this.observe(this.request, { kind: 'waiting', why });
    });
  }

  /** Watches before it walks, so that what changes meanwhile is seen; a failed run gives back what it took. */
  async run(request: RunRequest): Promise<RunReport[]> {
    const { set, signal } = request;
    const { watcher, time, link, onEvent } = this.options;
    const known = request.walk === 'changed' ? watcher.take(set.id) : null;
    const walk: Walk = known === null ? 'everything' : 'changed';
    this.request = request;
    this.running = { ...NOTHING, set: set.name, startedAt: time.now(), walk };
    onEvent({ kind: 'run', set: set.name, walk, because: request.because });
    try {
      if (known === null) await this.watch(set);
      return await this.backUp(request, walk, known ?? []);
    } catch (error) {
      watcher.giveBack(set.id, known);
      if (signal.aborted) throw signal.reason;
      const explained = explainFailure(error);
      if (isOffline(codeOf(explained) ?? '')) link.wentOffline((explained as Error).message);
      throw explained;
    } finally {
      this.request = null;
      this.running = null;
    }
  }

  private async backUp(request: RunRequest, walk: Walk, changed: readonly Buffer[]): Promise<RunReport[]> {
    const { set, cpu, signal } = request;
    const { home, config, time, link, threads, fillRandom, onEvent } = this.options;
    const device = enrolled(readDevice(home));
    if (device === null) throw new AgentError('not_enrolled');
    const observer = observeRun(
      set,
      (event) => this.observe(request, event),
      () => link.uploaded,
    );
    const open = () => link.open(device, signal);
    const { workers } = valuesOf(readSettings(home));
    const run = { home, config, device, open, set, walk, changed, cpu, workers, threads, fillRandom, signal };
    const reports = observer.report(await backUpSet({ ...run, ...observer, now: time.now }));
    for (const report of reports) onEvent({ kind: 'done', report });
    if (request.because === 'daily' || request.because === 'first') await this.watchHistory(request, device);
    return reports;
  }

  /** Beside the backup: it is made and done, whatever this finds or fails at. */
  private async watchHistory({ set, signal }: RunRequest, device: EnrolledDevice): Promise<void> {
    const { home, link, zone, onEvent } = this.options;
    try {
      const way = await link.open(device, signal);
      for (const text of await watchHistory({ ...way, home, device, zone, signal })) {
        onEvent({ kind: 'note', set: set.name, text });
      }
    } catch (error) {
      if (signal.aborted) return;
      onEvent({
        kind: 'trouble',
        what: 'history',
        code: codeOf(error) ?? 'internal',
        message: (error as Error).message,
      });
    }
  }

  /** Whatever keeps the watcher from starting, the walk needs it not. */
  private async watch(set: BackupSet): Promise<void> {
    const { home, config, watcher, onEvent } = this.options;
    if (!valuesOf(readSettings(home)).watch) return;
    const roots = expandRoots(set.roots, config).map((root) => Buffer.from(root));
    try {
      await watcher.subscribe(set.id, roots, compileExclusions(set.exclude, config, [home.dir]));
      watcher.take(set.id);
    } catch (error) {
      onEvent({
        kind: 'trouble',
        what: 'watcher',
        code: codeOf(error) ?? 'internal',
        message: (error as Error).message,
      });
    }
  }

  private observe({ set, onEvent }: RunRequest, event: RunEvent): void {
    if (event.kind === 'progress') {
      const { kind: _kind, ...progress } = event;
      this.notice(progress);
    } else if (event.kind === 'waiting') this.notice({ waiting: event.why });
    else if (event.kind === 'note') this.options.onEvent({ kind: 'note', set: set.name, text: event.text });
    onEvent(event);
  }

  private notice(changes: Partial<Running>): void {
    if (this.running !== null) this.running = { ...this.running, ...changes };
  }
}

const NOTHING = {
  entriesDone: 0,
  entriesTotal: null,
  bytesDone: 0,
  bytesTotal: null,
  bytesSent: 0,
  bytesWaiting: 0,
  waiting: null,
} as const;

export const enrolled = (device: Device | null): EnrolledDevice | null =>
  device !== null && device.archive !== null ? { ...device, archive: device.archive } : null;
