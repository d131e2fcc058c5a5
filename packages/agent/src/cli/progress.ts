import cliProgress from 'cli-progress';
import { formatBytes, formatDuration } from '../limits/units.ts';
import { printable } from './printable.ts';
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
  readonly filesDone: number;
  readonly filesTotal: number | null;
  /** What is counted, when it is not files. */
  readonly unit?: string;
  /** What it waits for, if it waits. */
  readonly waiting?: string | null;
};

/** Long enough to be steady, short enough to follow a change of the line. */
const WINDOW_MS = 10_000;
const EVENT_EVERY_MS = 500;

export const noBar = (say: Progress['say']): Progress => ({ update: () => {}, say, stop: () => {} });

export function barProgress(title: string, stream: NodeJS.WritableStream, now: () => number): Progress {
  const rate = createRate(now);
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
      const total = state.bytesTotal ?? 0;
      bar.setTotal(Math.max(total, 1));
      bar.update(Math.min(state.bytesDone, Math.max(total, 1)), {
        shown: printable(describe(state, rate(state.bytesDone))),
      });
    },
    say(text) {
      stream.write(`\r\x1b[K${printable(text)}\n`);
    },
    stop: () => bar.stop(),
  };
}

/** The same for programs: at most two lines a second. */
export function eventProgress(title: string, emit: (fields: object) => void, now: () => number): Progress {
  const rate = createRate(now);
  let last = Number.NEGATIVE_INFINITY;
  return {
    update(state) {
      const bytesPerSecond = rate(state.bytesDone);
      if (now() - last < EVENT_EVERY_MS) return;
      last = now();
      emit({
        event: 'progress',
        step: title,
        ...state,
        bytesPerSecond,
        secondsLeft: secondsLeft(state, bytesPerSecond),
      });
    },
    say: () => {},
    stop: () => {},
  };
}

/** Bytes a second over the last moments; `null` before there is enough to tell. */
export function createRate(now: () => number): (bytes: number) => number | null {
  const samples: { at: number; bytes: number }[] = [];
  return (bytes) => {
    const at = now();
    samples.push({ at, bytes });
    while (samples.length > 2 && at - samples[1]!.at >= WINDOW_MS) samples.shift();
    const first = samples[0]!;
    return at - first.at < 200 ? null : Math.max(0, ((bytes - first.bytes) * 1000) / (at - first.at));
  };
}

export function describe(state: ProgressState, rate: number | null): string {
  if (state.waiting) return `waiting: ${inWords(state.waiting)}`;
  const { bytesDone, bytesTotal, filesDone, filesTotal, unit = 'files' } = state;
  const percent = bytesTotal ? `${Math.floor((Math.min(bytesDone, bytesTotal) / bytesTotal) * 100)}%` : null;
  const left = secondsLeft(state, rate);
  const parts = [
    percent,
    bytesTotal === null ? formatBytes(bytesDone) : `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`,
    filesTotal === null ? `${count(filesDone)} ${unit}` : `${count(filesDone)} of ${count(filesTotal)} ${unit}`,
    rate === null ? null : `${formatBytes(Math.round(rate))}/s`,
    left === null ? null : `${formatDuration(left * 1000)} left`,
  ];
  return parts.filter((part) => part !== null).join(', ');
}

function secondsLeft({ bytesDone, bytesTotal }: ProgressState, rate: number | null): number | null {
  if (bytesTotal === null || rate === null || rate < 1) return null;
  return Math.max(0, Math.round((bytesTotal - bytesDone) / rate));
}

export const count = (value: number): string => value.toLocaleString('en-US');

/** `1 file`, `2,000 files`. */
export const counted = (value: number, what: string): string => `${count(value)} ${what}${value === 1 ? '' : 's'}`;
