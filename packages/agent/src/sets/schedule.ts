import { createHash } from 'node:crypto';
import type { RunRecord } from '../state/run-record.ts';
import type { BackupSet } from './backup-set.ts';

/**
 * When a set runs next, and how. Pure: the clock and the time zone are passed in.
 *
 * - A version every `everyMinutes`, counted from the beginning of the last run, when something may have changed.
 * - A walk of everything at `fullWalkAt` each day. One that was missed (asleep, off, paused, offline) is due at once.
 * - After a failure the next try comes later each time, up to the set's own interval.
 */
export type Due = {
  readonly set: BackupSet;
  /** Not before this moment. */
  readonly at: number;
  readonly walk: Walk;
  /** Why then: for `status`. */
  readonly because: 'first' | 'daily' | 'changes' | 'interval' | 'retry';
};

/** `everything` reads every folder; `changed` only those that the watcher names. */
export type Walk = 'everything' | 'changed';

/** What the watcher knows about a set: nothing to rely on, or whether it saw changes since the last run. */
export type Hint = 'unknown' | 'changed' | 'unchanged';

type Ran = Pick<RunRecord, 'startedAt' | 'walkedAt' | 'selection'>;

const MINUTE = 60_000;
const FIRST_RETRY_MS = MINUTE;

export function nextRun(
  set: BackupSet,
  run: Ran & Pick<RunRecord, 'failure'>,
  hint: Hint,
  now: number,
  zone: string,
): Due {
  const due = regularRun(set, run, hint, now, zone);
  if (run.failure === null) return due;
  const retry = run.failure.at + retryDelay(run.failure.count, set.everyMinutes);
  return retry > due.at ? { ...due, at: retry, because: 'retry' } : due;
}

function regularRun(
  set: BackupSet,
  { startedAt, walkedAt, selection }: Ran,
  hint: Hint,
  now: number,
  zone: string,
): Due {
  if (walkedAt === null || selection !== selectionOf(set))
    return { set, at: now, walk: 'everything', because: 'first' };
  const missed = lastTime(set.fullWalkAt, now, zone);
  if (missed > walkedAt) return { set, at: missed, walk: 'everything', because: 'daily' };
  const daily = nextTime(set.fullWalkAt, now, zone);
  const interval = backInTime(startedAt, now) + set.everyMinutes * MINUTE;
  if (hint === 'unchanged' || interval >= daily) return { set, at: daily, walk: 'everything', because: 'daily' };
  if (hint === 'changed') return { set, at: interval, walk: 'changed', because: 'changes' };
  return { set, at: interval, walk: 'everything', because: 'interval' };
}

/** What of a set decides which files belong to it. */
export const selectionOf = ({ roots, exclude }: Pick<BackupSet, 'roots' | 'exclude'>): string =>
  createHash('sha256')
    .update(JSON.stringify([roots, exclude]))
    .digest('hex')
    .slice(0, 32);

/** A clock that was set back must not put off the next version for as long as it was wrong. */
const backInTime = (startedAt: number | null, now: number): number => Math.min(startedAt ?? 0, now);

/** Doubles with each failure in a row, from a minute up to the set's interval (at least a quarter of an hour). */
export function retryDelay(failures: number, everyMinutes: number): number {
  const most = Math.max(15, everyMinutes) * MINUTE;
  return Math.min(most, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 16));
}

/** The last moment up to `now` at which the clock of `zone` showed `time` (HH:MM). */
export function lastTime(time: string, now: number, zone: string): number {
  const today = timeOfDay(time, now, zone, 0);
  return today <= now ? today : timeOfDay(time, now, zone, -1);
}

/** The first moment after `now` at which it does. */
export function nextTime(time: string, now: number, zone: string): number {
  const today = timeOfDay(time, now, zone, 0);
  return today > now ? today : timeOfDay(time, now, zone, 1);
}

/** A time that the clock skips in spring is the same distance after the skip; one that comes twice is the first. */
function timeOfDay(time: string, now: number, zone: string, days: number): number {
  const date = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(zone).toPlainDate().add({ days });
  return date.toZonedDateTime({ timeZone: zone, plainTime: Temporal.PlainTime.from(time) }).epochMilliseconds;
}
