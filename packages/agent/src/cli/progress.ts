import { printable } from '@holdfast/protocol/printable.ts';
import cliProgress from 'cli-progress';
import { formatBytes, formatDuration } from '../limits/units.ts';
import { count } from './counts.ts';
import { shortened } from './shortened.ts';
import { inWords } from './words.ts';

/** How far a long command has come. Counts only grow; a total may grow too while the walk goes on. */
export type Progress = {
  update(state: ProgressState): void;
  /** One line above the bar, also where there is none. */
  say(text: string): void;
  stop(): void;
};

export type ProgressState = {
  readonly bytesDone: number;
  /** `null` while it is not known yet. */
  readonly bytesTotal: number | null;
  /** Of what counts as done, what still has to be sent. */
  readonly bytesWaiting?: number;
  readonly itemsDone: number;
  readonly itemsTotal: number | null;
  readonly unit: 'files' | 'entries' | 'chunks';
  /** What it waits for, if it waits. */
  readonly waiting?: string | null;
};

/** Long enough to be steady, short enough to follow a change of the line. */
const WINDOW_MS = 10_000;
/** The time left is told over a longer one: what comes in large pieces would make it jump. */
const LEFT_WINDOW_MS = 60_000;
/** And only when the pace is known: after so long, or so much more of the whole. */
const KNOWN_MS = 5000;
const KNOWN_EARLY_MS = 1000;
const KNOWN_EARLY_SHARE = 0.05;
const EVENT_EVERY_MS = 500;

export const noBar = (say: Progress['say']): Progress => ({ update: () => {}, say, stop: () => {} });

export function barProgress(title: string, stream: NodeJS.WritableStream, now: () => number): Progress {
  const pace = createPace(now);
  const bar = new cliProgress.SingleBar({
    stream,
    format: `${title} {bar} {shown}`,
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    etaBuffer: 1,
    fps: 8,
    gracefulExit: false,
  });
  bar.start(1, 0, { shown: 'starting' });
  return {
    update(state) {
      const { done, total: known } = shareOf(state);
      const total = known ?? 0;
      bar.setTotal(Math.max(total, 1));
      const shown = printable(describe(state, pace(state)));
      bar.update(Math.min(done, total), { shown });
    },
    say(text) {
      stream.write(`\r\x1b[K${shortened(printable(text))}\n`);
    },
    stop: () => bar.stop(),
  };
}

/** The same for programs: at most two lines a second. */
export function eventProgress(title: string, emit: (fields: object) => void, now: () => number): Progress {
  const pace = createPace(now);
  let last = Number.NEGATIVE_INFINITY;
  return {
    update(state) {
      const measured = pace(state);
      if (now() - last < EVENT_EVERY_MS) return;
      last = now();
      emit({ event: 'progress', step: title, ...state, ...measured });
    },
    say: () => {},
    stop: () => {},
  };
}

export type Pace = {
  /** Over the last moments; `null` before there is enough to tell. */
  readonly bytesPerSecond: number | null;
  /** `null` while it is not known. */
  readonly secondsLeft: number | null;
};

/** Content that is where it belongs. */
export const arrived = ({ bytesDone, bytesWaiting = 0 }: ProgressState): number =>
  Math.max(0, bytesDone - bytesWaiting);

export function createPace(now: () => number): (state: ProgressState) => Pace {
  const recent = createRate(WINDOW_MS);
  const steady = createRate(LEFT_WINDOW_MS);
  let first: { readonly at: number; readonly done: number } | null = null;
  return (state) => {
    const at = now();
    const { done, total } = shareOf(state);
    const bytesPerSecond = recent(at, arrived(state));
    if (done === 0) return { bytesPerSecond, secondsLeft: null };
    first ??= { at, done };
    const rate = steady(at, done);
    const known = isKnown(at - first.at, done - first.done, total) && !state.waiting;
    return { bytesPerSecond, secondsLeft: known ? secondsLeft(done, total, rate) : null };
  };
}

const isKnown = (ms: number, done: number, total: number | null): boolean =>
  ms >= KNOWN_MS || (ms >= KNOWN_EARLY_MS && total !== null && done >= total * KNOWN_EARLY_SHARE);

/** By bytes where their number is known, else by what is counted. */
function shareOf(state: ProgressState): { readonly done: number; readonly total: number | null } {
  const { bytesTotal, itemsDone, itemsTotal } = state;
  if (bytesTotal === null && itemsTotal !== null) return { done: itemsDone, total: itemsTotal };
  return { done: arrived(state), total: bytesTotal };
}

/** Amounts a second over a window of so long; `null` before there is enough to tell. */
function createRate(window: number): (at: number, bytes: number) => number | null {
  const samples: { at: number; bytes: number }[] = [];
  return (at, bytes) => {
    samples.push({ at, bytes });
    while (samples.length > 2 && at - samples[1]!.at >= window) samples.shift();
    const first = samples[0]!;
    return at - first.at < 200 ? null : Math.max(0, ((bytes - first.bytes) * 1000) / (at - first.at));
  };
}

function secondsLeft(done: number, total: number | null, rate: number | null): number | null {
  if (total === null || rate === null || rate === 0) return null;
  return Math.max(0, Math.round((total - done) / rate));
}

export function describe(state: ProgressState, { bytesPerSecond, secondsLeft }: Pace): string {
  if (state.waiting) return `waiting: ${inWords(state.waiting)}`;
  const { bytesTotal, itemsDone, itemsTotal, unit } = state;
  const bytes = arrived(state);
  const { done, total } = shareOf(state);
  const percent = total ? `${Math.floor((Math.min(done, total) / total) * 100)}%` : null;
  const parts = [
    percent,
    bytesTotal === null ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(bytesTotal)}`,
    itemsTotal === null ? `${count(itemsDone)} ${unit}` : `${count(itemsDone)} of ${count(itemsTotal)} ${unit}`,
    bytesPerSecond === null ? null : `${formatBytes(Math.round(bytesPerSecond))}/s`,
    secondsLeft === null ? null : `${formatDuration(secondsLeft * 1000)} left`,
  ];
  return parts.filter((part) => part !== null).join(', ');
}
