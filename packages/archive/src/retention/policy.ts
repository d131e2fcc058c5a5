// What a retention policy says, how it is written as JSON, and what makes one valid.
//
// A *tier* keeps one snapshot in each interval of `every`, up to an age of `until`. Intervals are aligned to UTC, weeks begin on Monday.

import { ArchiveError } from '../errors.ts';
import { DAY, MINUTE } from './duration.ts';

export type RetentionTier = {
  /** ms */
  readonly every: number;
  /** ms of age; `null`, in the last tier only, is for ever. */
  readonly until: number | null;
};

/** From fine to coarse: each tier keeps less, for longer, than the one before it. */
export type RetentionPolicy = { readonly tiers: readonly RetentionTier[] };

/** As in settings and in the file `policy` of format §7: the same in minutes and days. `deletedDays` is about gone trees, not about snapshots. */
export type RetentionPolicyJson = {
  readonly steps: readonly { readonly everyMinutes: number; readonly untilDays: number | null }[];
  readonly deletedDays?: number | null;
};

export const DEFAULT_RETENTION: RetentionPolicy = {
  tiers: [
    { every: 15 * MINUTE, until: 7 * DAY },
    { every: DAY, until: 90 * DAY },
    { every: 7 * DAY, until: 365 * DAY },
    { every: 30 * DAY, until: null },
  ],
};

const MAX_TIERS = 16;
/** 190 years in minutes: far beyond any archive, and its milliseconds are exact. */
const MAX_NUMBER = 100_000_000;

/** Reads `RetentionPolicyJson`. Throws `policy_invalid`, which names the value that is wrong. */
export function parseRetentionPolicy(json: unknown): RetentionPolicy {
  const { steps } = onlyKeys(json, ['steps', 'deletedDays'], 'policy');
  if (!Array.isArray(steps)) throw wrong('steps', 'is no list');
  return checkRetentionPolicy({ tiers: steps.map((step, i) => parseStep(step, `steps[${i}]`)) });
}

function parseStep(json: unknown, field: string): RetentionTier {
  const { everyMinutes, untilDays } = onlyKeys(json, ['everyMinutes', 'untilDays'], field);
  const every = whole(everyMinutes, `${field}.everyMinutes`) * MINUTE;
  return { every, until: untilDays === null ? null : whole(untilDays, `${field}.untilDays`) * DAY };
}

function whole(value: unknown, field: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > MAX_NUMBER)
    throw wrong(field, `is ${JSON.stringify(value)}, not a whole number from 1 to ${MAX_NUMBER}`);
  return value as number;
}

/** Returns the policy itself, or throws `policy_invalid`. */
export function checkRetentionPolicy(policy: RetentionPolicy): RetentionPolicy {
  const { tiers } = policy;
  if (tiers.length === 0) throw wrong('steps', 'is empty: it would keep the newest snapshot only');
  if (tiers.length > MAX_TIERS) throw wrong('steps', `has ${tiers.length} entries, at most ${MAX_TIERS}`);
  for (const [i, tier] of tiers.entries()) checkTier(tier, tiers[i - 1], `steps[${i}]`);
  return policy;
}

function checkTier({ every, until }: RetentionTier, before: RetentionTier | undefined, field: string): void {
  const [everyField, untilField] = [`${field}.everyMinutes`, `${field}.untilDays`];
  if (!isMinutes(every)) throw wrong(everyField, 'is no whole number of minutes');
  if (until !== null && !isMinutes(until)) throw wrong(untilField, 'is no whole number of minutes');
  if (until !== null && until < every)
    throw wrong(untilField, 'is shorter than the interval, so it would keep nothing');
  if (before === undefined) return;
  if (before.until === null) throw wrong(field, 'follows one that keeps for ever');
  if (every <= before.every) throw wrong(everyField, 'is not longer than in the step before it');
  if (until !== null && until <= before.until) throw wrong(untilField, 'is not longer than in the step before it');
}

const isMinutes = (ms: number): boolean => Number.isSafeInteger(ms) && ms >= MINUTE && ms % MINUTE === 0;

/** For all that is read of a policy. An unknown key is refused: a mistyped `untilDays` would keep or drop what nobody meant. */
export function onlyKeys(json: unknown, keys: readonly string[], field: string): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong(field, 'is no object');
  const unknown = Object.keys(json).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw wrong(`${field}.${unknown}`, `is unknown; there is ${keys.join(', ')}`);
  return json as Record<string, unknown>;
}

export function wrong(field: string, what: string): ArchiveError {
  return new ArchiveError('policy_invalid', { name: field, detail: `${field} ${what}` });
}
