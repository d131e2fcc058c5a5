// Maintenance without keys, beside running backups and restores: the jobs, in which order and for which archives.
//
// Nouns: a *job* works on one archive; a *lane* keeps two jobs of a kind from one archive; an *event* says what happens.
//
//   retention   retires snapshots by policy          lane retention
//   collect     reconcile, then collect              lane structure
//   compact     rewrites packs that are mostly dead  lane structure
//   reconcile   compares store point and index       lane structure
//   resume      spreads losses, goes on with collects that waited for sessions
//   verify      reads everything                     lane verify
//
// Retention and collect are off for an archive whose index was made anew, until an administrator has looked.

import { toHex } from '@holdfast/archive/format/ids.ts';
import { type Archive, findArchive, listArchives, setSuspended } from '../index/archives.ts';
import { findCollection } from '../index/jobs.ts';
import { unspreadLosses } from '../index/lost.ts';
import { forgetAnnouncements } from '../index/packs.ts';
import { endSilentSessions, forgetSessions } from '../index/sessions.ts';
import type { Trouble } from '../index/tables.ts';
import { conclude } from '../index/troubles.ts';
import { SESSION_ROWS_MS, SESSION_SILENCE_MS } from '../limits.ts';
import type { StorePoint } from '../store-point.ts';
import { collect } from './collect.ts';
import { compact } from './compact.ts';
import type { JobName, OnEvent } from './events.ts';
import { UnreadableTrees } from './mark.ts';
import type { ArchivePolicy } from './policy.ts';
import { type ReconcileResult, reconcile } from './reconcile.ts';
import { retain } from './retention.ts';
import { inLane, LaneLost, type Run } from './run.ts';
import { spreadLoss } from './spread-loss.ts';
import { verify } from './verify.ts';

export type MaintainOptions = {
  /** Archive id, hex; without one all archives. */
  readonly archive?: string | undefined;
  /** Turns retention and collect on again after a rebuild. */
  readonly enable?: boolean | undefined;
  readonly onEvent?: OnEvent | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** What is decided about retention for an archive (hex); null when nothing is known here: then the last in force holds. */
export type PolicyOf = (archive: string) => Promise<ArchivePolicy | null>;

export type Maintenance = {
  /** One job, or `all` in an order in which each finds what the one before left. Rejects only when it is aborted or cannot start. */
  run(job: JobName | 'all', options?: MaintainOptions): Promise<MaintenanceSummary>;
  /** Finds the trees above a loss, soon; for whoever has found one. */
  lossFound(point: StorePoint, archive: Archive): void;
  /** Resolves when nothing that `lossFound` began is running. */
  settled(): Promise<void>;
};

export type MaintenanceSummary = {
  readonly finished: number;
  readonly waiting: number;
  readonly skipped: number;
  readonly failed: number;
  readonly alerts: number;
};

/** When each job runs, as cron in local time; whoever starts the storage has the clockwork. */
export const SCHEDULE: readonly { readonly job: JobName; readonly cron: string }[] = [
  { job: 'resume', cron: '*/10 * * * *' },
  { job: 'retention', cron: '17 1 * * *' },
  { job: 'collect', cron: '37 1 * * *' },
  { job: 'compact', cron: '7 4 * * *' },
  { job: 'verify', cron: '11 5 * * 0' },
];

const ALL: readonly JobName[] = ['retention', 'collect', 'compact', 'verify'];

export function createMaintenance(points: readonly StorePoint[], policyOf: PolicyOf): Maintenance {
  const background = new Set<Promise<unknown>>();

  async function run(job: JobName | 'all', options: MaintainOptions = {}): Promise<MaintenanceSummary> {
    const tally = new Tally(options.onEvent);
    for (const { point, archive } of await archivesFor(points, options.archive)) {
      if (options.enable) await point.index.write((on) => setSuspended(on, archive.number, false));
      for (const name of job === 'all' ? ALL : [job]) {
        options.signal?.throwIfAborted();
        await runOne(point, archive, name, policyOf, { onEvent: tally.onEvent, signal: options.signal });
      }
    }
    for (const point of points) await tidy(point);
    return tally.summary();
  }

  const lossFound = (point: StorePoint, archive: Archive): void => {
    const work = runOne(point, archive, 'resume', policyOf, { onEvent: (event) => logEvent(point, event) })
      .catch((error: unknown) =>
        point.log.error({ err: error }, 'what a loss reaches could not be found; it is tried again'),
      )
      .finally(() => background.delete(work));
    background.add(work);
  };

  const settled = async (): Promise<void> => {
    while (background.size > 0) await Promise.all(background);
  };

  return { run, lossFound, settled };
}

async function archivesFor(
  points: readonly StorePoint[],
  wanted: string | undefined,
): Promise<{ point: StorePoint; archive: Archive }[]> {
  const found: { point: StorePoint; archive: Archive }[] = [];
  for (const point of points)
    for (const archive of await point.index.read((on) => listArchives(on)))
      if (wanted === undefined || wanted === toHex(archive.id)) found.push({ point, archive });
  return found;
}

type OneOptions = { readonly onEvent: OnEvent; readonly signal?: AbortSignal | undefined };

/** A job on one archive; what goes wrong is an event, so that the next archive has its turn. */
async function runOne(
  point: StorePoint,
  archive: Archive,
  job: JobName,
  policyOf: PolicyOf,
  options: OneOptions,
): Promise<void> {
  const { signal } = options;
  let hasRun = true;
  const onEvent: OnEvent = (event) => {
    if (event.kind === 'skipped') hasRun = false;
    options.onEvent(event);
  };
  const emit: Run['emit'] = (event) => onEvent({ ...event, job, archive: toHex(archive.id) });
  try {
    emit({ kind: 'started' });
    const result = await perform(point, archive, job, policyOf, { onEvent, signal });
    if (hasRun) await note(point, archive, { code: 'maintenance_failed', job }, false);
    if (result !== null) emit({ kind: 'finished', result });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error instanceof LaneLost) emit({ kind: 'skipped', why: 'busy' });
    else if (error instanceof UnreadableTrees) emit({ kind: 'alert', alert: 'collect_unsafe', message: unsafe(error) });
    else {
      emit({ kind: 'failed', error });
      await note(point, archive, { code: 'maintenance_failed', job }, true).catch((err: unknown) =>
        point.log.error({ err, job }, 'that a job failed could not be noted'),
      );
    }
  }
}

const note = (
  { index, now }: StorePoint,
  { number }: Archive,
  trouble: { code: Trouble; job?: JobName },
  isSo: boolean,
): Promise<void> => index.write((on) => conclude(on, number, trouble, isSo, now()));

const unsafe = (error: UnreadableTrees): string =>
  `${error.message}, so nothing can be called dead: run "verify", let every device back up once, then collect again`;

type Result = Readonly<Record<string, number>> | null;

async function perform(
  point: StorePoint,
  archive: Archive,
  job: JobName,
  policyOf: PolicyOf,
  options: OneOptions,
): Promise<Result> {
  switch (job) {
    case 'retention':
      if (await isHeld(point, archive, job, options)) return null;
      return inLane(point, archive, 'retention', job, options, async (run) =>
        retain(run, await policyOf(toHex(archive.id))),
      );
    case 'collect':
      if (await isHeld(point, archive, job, options)) return null;
      return inStructure(point, archive, job, options, collectAll);
    case 'compact':
      return inStructure(point, archive, job, options, compact);
    case 'reconcile':
      return inStructure(point, archive, job, options, (run) => reconcileAndSpread(run));
    case 'resume':
      return resume(point, archive, options);
    case 'verify':
      return verifyAll(point, archive, options);
    default:
      return job satisfies never;
  }
}

const inStructure = (
  point: StorePoint,
  archive: Archive,
  job: JobName,
  options: OneOptions,
  work: (run: Run) => Promise<Result>,
): Promise<Result> => inLane(point, archive, 'structure', job, options, work);

async function isHeld(point: StorePoint, { id }: Archive, job: JobName, { onEvent }: OneOptions): Promise<boolean> {
  const now = await point.index.read((on) => findArchive(on, id));
  if (now?.suspended !== 1) return false;
  onEvent({ kind: 'skipped', why: 'held', job, archive: toHex(id) });
  return true;
}

async function reconcileAndSpread(run: Run): Promise<ReconcileResult> {
  const result = await reconcile(run);
  await spreadLoss(run);
  return result;
}

/** ARCHIVE §5.4 (a) to (f). Reconcile comes first also when an interrupted run goes on. */
async function collectAll(run: Run): Promise<Result> {
  const { stopped } = await reconcileAndSpread(run);
  if (stopped) {
    run.emit({ kind: 'skipped', why: 'stopped' });
    return null;
  }
  const outcome = await safely(run, collect);
  if (outcome.kind === 'done') return outcome.result;
  run.emit({ kind: 'waiting', sessions: outcome.sessions });
  return null;
}

/** Keeps whether what snapshots need could be made out. */
async function safely<T>(run: Run, work: (run: Run) => Promise<T>): Promise<T> {
  try {
    const result = await work(run);
    await note(run.point, run.archive, { code: 'collect_unsafe' }, false);
    return result;
  } catch (error) {
    if (error instanceof UnreadableTrees) await note(run.point, run.archive, { code: 'collect_unsafe' }, true);
    throw error;
  }
}

async function resume(point: StorePoint, archive: Archive, options: OneOptions): Promise<Result> {
  const { losses, waiting } = await point.index.read(async (on) => ({
    losses: (await unspreadLosses(on, archive.number)).length,
    waiting: (await findCollection(on, archive.number)) !== null,
  }));
  if (losses === 0 && !waiting) return {};
  return inStructure(point, archive, 'resume', options, async (run) => {
    if (waiting) return collectAll(run);
    return { lostChunks: await spreadLoss(run) };
  });
}

async function verifyAll(point: StorePoint, archive: Archive, options: OneOptions): Promise<Result> {
  const result = await inLane(point, archive, 'verify', 'verify', options, verify);
  if (result !== null && result.lostChunks > 0)
    await inLane(point, archive, 'structure', 'verify', options, (run) => spreadLoss(run));
  return result;
}

async function tidy(point: StorePoint): Promise<void> {
  const now = point.now();
  await point.index.write(async (on) => {
    const silent = await endSilentSessions(on, null, now - SESSION_SILENCE_MS, now);
    if (silent > 0) point.metrics.add('sessions_silent', silent);
    await forgetAnnouncements(on);
    await forgetSessions(on, now - SESSION_ROWS_MS);
  });
}

/** For runs that nobody watches. */
export function logEvent(point: Pick<StorePoint, 'log'>, event: Parameters<OnEvent>[0]): void {
  const { kind, ...rest } = event;
  if (kind === 'alert') point.log.warn(rest, event.message);
  else if (kind === 'failed') point.log.error({ ...rest, err: event.error }, 'maintenance failed');
  else if (kind !== 'progress') point.log.info(rest, `maintenance ${kind}`);
}

class Tally {
  private readonly counts = { finished: 0, waiting: 0, skipped: 0, failed: 0, alerts: 0 };
  readonly onEvent: OnEvent;

  constructor(onEvent: OnEvent = () => {}) {
    this.onEvent = (event) => {
      if (event.kind === 'alert') this.counts.alerts += 1;
      else if (event.kind !== 'started' && event.kind !== 'progress') this.counts[event.kind] += 1;
      onEvent(event);
    };
  }

  summary(): MaintenanceSummary {
    return { ...this.counts };
  }
}
