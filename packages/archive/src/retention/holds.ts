// What nobody may retire, and how it is written as JSON in the file `policy` of format §7.

import { onlyKeys, wrong } from './policy.ts';

/** Snapshots that nobody may retire, whatever the policy says. What is left out matches everything. */
export type RetentionHold = {
  readonly snapshotId?: string;
  readonly deviceId?: string;
  readonly setId?: string;
  readonly destinationId?: string;
  /** Times of receipt, ms, both included. */
  readonly from?: number;
  readonly to?: number;
  /** ms; the hold ends then. Without it, it lasts until it is taken away. */
  readonly expires?: number;
};

/** Digits of each id. */
const IDS = { snapshotId: 64, deviceId: 32, setId: 32, destinationId: 32 } as const;
const TIMES = ['from', 'to', 'expires'] as const;
const KEYS = [...Object.keys(IDS), ...TIMES];

/**
 * Throws `policy_invalid`, which names the value that is wrong: a hold that says something else than was meant covers nothing,
 * and what nobody protects is retired for good.
 */
export function parseRetentionHolds(json: unknown): readonly RetentionHold[] {
  if (!Array.isArray(json)) throw wrong('holds', 'is no list');
  return json.map((hold, i) => parseHold(hold, `holds[${i}]`));
}

function parseHold(json: unknown, field: string): RetentionHold {
  const hold = onlyKeys(json, KEYS, field);
  for (const [key, digits] of Object.entries(IDS)) requireId(hold[key], digits, `${field}.${key}`);
  for (const key of TIMES) requireTime(hold[key], `${field}.${key}`);
  const { from, to } = hold as RetentionHold;
  if (from !== undefined && to !== undefined && to < from) throw wrong(`${field}.to`, 'is before `from`');
  return hold as RetentionHold;
}

function requireId(value: unknown, digits: number, field: string): void {
  if (value === undefined) return;
  if (typeof value !== 'string' || value.length !== digits || !/^[0-9a-f]*$/.test(value))
    throw wrong(field, `is ${JSON.stringify(value)}, not an id of ${digits} lower-case hex digits`);
}

function requireTime(value: unknown, field: string): void {
  if (value !== undefined && (!Number.isSafeInteger(value) || (value as number) < 0))
    throw wrong(field, `is ${JSON.stringify(value)}, not a time in milliseconds since 1970`);
}
