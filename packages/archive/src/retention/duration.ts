// Durations as people write them in a policy: `15m`, `12h`, `7d`, `2w`. Months and years have no fixed length, so there are none.

import { ArchiveError } from '../errors.ts';

export const MINUTE = 60_000;
export const HOUR: number = 60 * MINUTE;
export const DAY: number = 24 * HOUR;
export const WEEK: number = 7 * DAY;

const UNITS: readonly (readonly [string, number])[] = [
  ['d', DAY],
  ['h', HOUR],
  ['m', MINUTE],
];
const MS_OF: Readonly<Record<string, number>> = { m: MINUTE, h: HOUR, d: DAY, w: WEEK };
const MAX_DURATION: number = 36_500 * DAY;

/** Milliseconds; `field` names the value in the error. Throws `policy_invalid`. */
export function parseDuration(text: unknown, field: string): number {
  const [, digits, unit] = (typeof text === 'string' && /^([1-9][0-9]{0,8})([mhdw])$/.exec(text)) || [];
  const ms = Number(digits) * (MS_OF[unit ?? ''] ?? Number.NaN);
  if (ms >= MINUTE && ms <= MAX_DURATION) return ms;
  const detail = `${field} is ${JSON.stringify(text)}, not a duration such as "15m", "12h", "7d" or "2w" of at most 100 years`;
  throw new ArchiveError('policy_invalid', { name: field, detail });
}

/** The shortest text that `parseDuration` reads as `ms`, a whole number of minutes. */
export function formatDuration(ms: number): string {
  for (const [unit, length] of UNITS) if (ms % length === 0) return `${ms / length}${unit}`;
  throw new ArchiveError('policy_invalid', { detail: `${ms} ms is no whole number of minutes` });
}
