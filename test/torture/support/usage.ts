/** What a process uses, over time, and whether that grows. */
import { readdirSync, readFileSync } from 'node:fs';

export type Usage = { readonly memoryMb: number; readonly openFiles: number };
export const MEASURES = ['memoryMb', 'openFiles'] as const;
export type Measure = (typeof MEASURES)[number];

/** Linux tells by files. Throws when the process is not there. */
export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, kb] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  return { memoryMb: Number(kb) / 1024, openFiles: readdirSync(`/proc/${pid}/fd`).length };
}

/**
 * How much larger the median of the last quarter may be than that of the second one; the first is for warming up. Garbage is
 * collected when there is need, so memory is judged by a share; a file that is not closed each minute shows soon.
 */
export const TOLERANCE: Readonly<Record<Measure, { readonly share: number; readonly plus: number }>> = {
  memoryMb: { share: 0.15, plus: 16 },
  openFiles: { share: 0, plus: 6 },
};

export type Judgement = {
  readonly second: number;
  readonly last: number;
  readonly most: number;
  readonly flat: boolean;
};

/** Pure. Throws for fewer samples than a quarter needs. */
export function judge(samples: readonly Usage[], measure: Measure): Judgement {
  const quarter = Math.floor(samples.length / 4);
  if (quarter < LEAST) throw new RangeError(`${samples.length} samples are too few to judge`);
  const values = samples.map((sample) => sample[measure]);
  const second = median(values.slice(quarter, 2 * quarter));
  const last = median(values.slice(-quarter));
  const { share, plus } = TOLERANCE[measure];
  const most = second * (1 + share) + plus;
  return { second, last, most, flat: last <= most };
}

/** In a quarter. */
const LEAST = 3;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
