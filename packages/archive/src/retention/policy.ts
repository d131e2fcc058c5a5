// What a retention policy says, how it is written as JSON, and what makes one valid.
//
// A *tier* keeps one snapshot in each interval of `every`, up to an age of `until`. Intervals are aligned to UTC, weeks begin on Monday.

import { ArchiveError } from '../errors.ts';
import { DAY, formatDuration, MINUTE, parseDuration } from './duration.ts';

export type RetentionTier = {
  /** ms */
  readonly every: number;
  /** ms of age; `null`, in the last tier only, is for ever. */
  readonly until: number | null;
};

/** From fine to coarse: each tier keeps less, for longer, than the one before it. */
export type RetentionPolicy = { readonly tiers: readonly RetentionTier[] };

/** As in the file `policy` of format §7 and on the wire; no `until` is for ever. */
export type RetentionPolicyJson = { readonly tiers: readonly { readonly every: string; readonly until?: string }[] };

export const DEFAULT_RETENTION: RetentionPolicy = {
  tiers: [
    { every: 15 * MINUTE, until: 7 * DAY },
    { every: DAY, until: 90 * DAY },
    { every: 7 * DAY, until: 365 * DAY },
    { every: 30 * DAY, until: null },
  ],
};

const MAX_TIERS = 16;

/** Throws `policy_invalid`, which names the value that is wrong. */
export function parseRetentionPolicy(json: unknown): RetentionPolicy {
  const { tiers } = onlyKeys(json, ['tiers'], 'policy');
  if (!Array.isArray(tiers)) throw wrong('tiers', 'is no list');
  return checkRetentionPolicy({ tiers: tiers.map((tier, i) => parseTier(tier, `tiers[${i}]`)) });
}

function parseTier(json: unknown, field: string): RetentionTier {
  const { every, until } = onlyKeys(json, ['every', 'until'], field);
  return {
    every: parseDuration(every, `${field}.every`),
    until: until === undefined || until === null ? null : parseDuration(until, `${field}.until`),
  };
}

/** Returns the policy itself, or throws `policy_invalid`. */
export function checkRetentionPolicy(policy: RetentionPolicy): RetentionPolicy {
  const { tiers } = policy;
  if (tiers.length === 0) throw wrong('tiers', 'is empty: it would keep the newest snapshot only');
  if (tiers.length > MAX_TIERS) throw wrong('tiers', `has ${tiers.length} entries, at most ${MAX_TIERS}`);
  for (const [i, tier] of tiers.entries()) checkTier(tier, tiers[i - 1], `tiers[${i}]`);
  return policy;
}

function checkTier({ every, until }: RetentionTier, before: RetentionTier | undefined, field: string): void {
  if (!isMinutes(every)) throw wrong(`${field}.every`, 'is no whole number of minutes');
  if (until !== null && !isMinutes(until)) throw wrong(`${field}.until`, 'is no whole number of minutes');
  if (until !== null && until < every)
    throw wrong(`${field}.until`, 'is shorter than the interval, so it would keep nothing');
  if (before === undefined) return;
  if (before.until === null) throw wrong(field, 'follows a tier that keeps for ever');
  if (every <= before.every) throw wrong(`${field}.every`, 'is not longer than in the tier before it');
  if (until !== null && until <= before.until)
    throw wrong(`${field}.until`, 'is not longer than in the tier before it');
}

export function formatRetentionPolicy({ tiers }: RetentionPolicy): RetentionPolicyJson {
  return {
    tiers: tiers.map(({ every, until }) => ({
      every: formatDuration(every),
      ...(until === null ? {} : { until: formatDuration(until) }),
    })),
  };
}

const isMinutes = (ms: number): boolean => Number.isSafeInteger(ms) && ms >= MINUTE && ms % MINUTE === 0;

/** An unknown key is refused: a mistyped `until` would keep or drop what nobody meant. */
function onlyKeys(json: unknown, keys: readonly string[], field: string): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong(field, 'is no object');
  const unknown = Object.keys(json).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw wrong(`${field}.${unknown}`, `is unknown; there is ${keys.join(', ')}`);
  return json as Record<string, unknown>;
}

function wrong(field: string, what: string): ArchiveError {
  return new ArchiveError('policy_invalid', { name: field, detail: `${field} ${what}` });
}
