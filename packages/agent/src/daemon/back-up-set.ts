import { join } from 'node:path';
import { type BackupEvent, type BackupResult, backup } from '@holdfast/archive/backup/backup.ts';
import type { Workers } from '@holdfast/archive/backup/kept-workers.ts';
import { fromHex, toHex } from '@holdfast/archive/format/ids.ts';
import { returnLargeMemoryAtOnce } from '@holdfast/archive/system/native.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { openKeyedArchive } from '../archive/remote-archive.ts';
import type { Config } from '../config.ts';
import { AgentError } from '../errors.ts';
import { type FillRandom, messageSigner } from '../keys/device-keys.ts';
import type { Connection } from '../remote/connection.ts';
import { type BackupSet, expandRoots } from '../sets/backup-set.ts';
import { compileExclusions } from '../sets/globs.ts';
import { selectionOf, type Walk } from '../sets/schedule.ts';
import type { EnrolledDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { tryLock } from '../state/lock.ts';
import { type RunOutcome, type RunRecord, readRun, writeRun } from '../state/run-record.ts';
import { VERSION } from '../version.ts';
import { failureOf } from './failure.ts';
import { renewAfterRemoval } from './renew-after-removal.ts';

/**
 * One run of one set, by the service or by a command: the only place that holds a set's lock and writes its record.
 *
 * ```
 * lock -> renew the keys if a device was removed -> for each destination: keys -> backup -> record
 * ```
 * A destination that fails does not keep the others from having theirs; the first failure is the run's.
 */
export type SetRun = {
  readonly home: Home;
  readonly config: Config;
  readonly device: EnrolledDevice;
  /** The way to the server, and how it describes this device now. */
  readonly open: () => Promise<ServerWay>;
  readonly set: BackupSet;
  readonly walk: Walk;
  /** The folders to walk when `walk` is `changed`. */
  readonly changed: readonly Buffer[];
  /** Share of a core for each thread; asked again while the run lasts, since people come and go. */
  readonly cpu: () => number;
  readonly workers: number | null;
  /** Threads of the run before; a run starts its own unless told. */
  readonly threads?: Workers;
  readonly now: () => number;
  readonly fillRandom: FillRandom;
  /** A line for the person who watches, or for the log. */
  readonly say: (text: string) => void;
  readonly onEvent: (event: BackupEvent) => void;
  /** What the run has found that a person should know; asked at its end. */
  readonly notes: () => readonly string[];
  readonly signal: AbortSignal;
};

export type SetOutcome = {
  readonly set: BackupSet;
  readonly destination: { readonly id: string; readonly name: string };
  readonly result: BackupResult;
  readonly startedAt: number;
  readonly endedAt: number;
};

export type ServerWay = { readonly connection: Connection; readonly context: DeviceContext };

const DAY_MS = 86_400_000;

/** Rejects with the first failure after all destinations were tried. */
export async function backUpSet(run: SetRun): Promise<SetOutcome[]> {
  const { home, set, now } = run;
  const lock = tryLock(join(home.locks, `set-${set.id}`));
  if (lock === null) throw new AgentError('busy', { what: `The set "${set.name}" is being backed up` });
  try {
    returnLargeMemoryAtOnce();
    const before = readRun(home, set.id);
    const startedAt = now();
    writeRun(home, { ...before, startedAt });
    const { outcomes, failures } = await everyDestination(run, startedAt);
    writeRun(home, recordOf(run, before, startedAt, outcomes, failures));
    if (failures.length > 0) throw failures[0];
    return outcomes;
  } finally {
    lock.release();
  }
}

async function everyDestination(run: SetRun, startedAt: number) {
  const outcomes: SetOutcome[] = [];
  const failures: unknown[] = [];
  try {
    const way = await openWay(run);
    for (const destination of way.context.destinations) {
      try {
        const result = await backUpTo(run, way, destination.id);
        outcomes.push({ set: run.set, destination, result, startedAt, endedAt: run.now() });
      } catch (error) {
        failures.push(error);
        if (run.signal.aborted) break;
      }
    }
  } catch (error) {
    failures.push(error);
  }
  return { outcomes, failures };
}

async function openWay(run: SetRun): Promise<ServerWay> {
  const { connection, context } = await run.open();
  return { connection, context: await renewAfterRemoval({ ...run, connection, context }) };
}

async function backUpTo(run: SetRun, way: ServerWay, destination: string): Promise<BackupResult> {
  const { home, config, device, set, walk, changed, cpu, workers, threads, now, onEvent, signal } = run;
  const { endpoint, keys } = await openKeyedArchive({ ...way, home, device, destination, signal });
  const { deletedDays } = set.retention;
  return backup({
    endpoint,
    keys,
    sign: messageSigner(fromHex(device.keys.seed)),
    deviceId: fromHex(device.id),
    deviceName: device.name,
    setId: fromHex(set.id),
    setName: set.name,
    destinationId: fromHex(destination),
    agentVersion: VERSION,
    roots: expandRoots(set.roots, config).map((root) => Buffer.from(root)),
    exclude: compileExclusions(set.exclude, config, [home.dir]),
    cacheDir: home.cache,
    now,
    limits: { cpu },
    goneKeepMs: deletedDays === null ? null : deletedDays * DAY_MS,
    // The way to the server tries again by itself (remote/retrying.ts)
    patienceMs: 0,
    onEvent,
    signal,
    ...(workers !== null && { workers }),
    ...(threads && { threads }),
    ...(walk === 'changed' && { hint: { changedDirectories: changed } }),
  });
}

function recordOf(
  run: SetRun,
  before: RunRecord,
  startedAt: number,
  outcomes: readonly SetOutcome[],
  failures: readonly unknown[],
): RunRecord {
  const { set, walk, now, signal } = run;
  const last = outcomes.at(-1);
  const record = { ...before, startedAt, last: last === undefined ? before.last : outcomeOf(last) };
  if (failures.length > 0) {
    // A run that was stopped is no failure: it is due again at once
    if (signal.aborted) return { ...record, startedAt: before.startedAt };
    return { ...record, failure: failureOf(failures[0], now(), before.failure) };
  }
  const walked = walk === 'everything' ? { walkedAt: startedAt, selection: selectionOf(set) } : {};
  return { ...record, ...walked, doneAt: startedAt, failure: null, notes: mergeNotes(before.notes, run.notes()) };
}

/** The newest few, each once: they stay until a person has looked (`holdfast check`). */
const MOST_NOTES = 5;
const mergeNotes = (before: readonly string[], added: readonly string[]): readonly string[] =>
  [...new Set([...before, ...added])].slice(-MOST_NOTES);

function outcomeOf({ result, endedAt }: SetOutcome): RunOutcome {
  const { totals, bytesStored, unread } = result.stats;
  return {
    kind: result.kind,
    at: endedAt,
    snapshot: toHex(result.snapshotId),
    files: totals.files,
    bytes: totals.bytes,
    sent: bytesStored,
    skipped: unread,
  };
}
