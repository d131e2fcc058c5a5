import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from './home.ts';
import { type Fields, isFields, number, optional, readRecord, text, writeRecord } from './record.ts';

/**
 * What the device remembers of each set's runs, one file a set, written by whoever holds the set's lock: the service's
 * queue after a restart, and what `status` shows when no service runs.
 */
export type RunRecord = {
  readonly set: string;
  /** When the last run began, however it ended. */
  readonly startedAt: number | null;
  /** When the last run ended well: everything of the set was in the archive as it was at `startedAt`. */
  readonly doneAt: number | null;
  /** When the last walk of everything that ended well began, and what of (`selectionOf`): another selection is walked anew. */
  readonly walkedAt: number | null;
  readonly selection: string | null;
  readonly last: RunOutcome | null;
  /** Set while runs fail: how often in a row, and why. */
  readonly failure: RunFailure | null;
  /** What a person should know about the set's history: a fork, snapshots that went away without a reason. */
  readonly notes: readonly string[];
};

export type RunOutcome = {
  readonly kind: 'committed' | 'current';
  readonly at: number;
  readonly snapshot: string | null;
  readonly files: number;
  readonly bytes: number;
  readonly sent: number;
  /** What could not be read. */
  readonly skipped: number;
};

export type RunFailure = {
  readonly code: string;
  readonly message: string;
  readonly at: number;
  readonly count: number;
};

const NEVER = { startedAt: null, doneAt: null, walkedAt: null, selection: null, last: null, failure: null, notes: [] };

export const readRun = (home: Home, set: string): RunRecord =>
  readRecord(pathOf(home, set), parseRun) ?? { set, ...NEVER };

export const writeRun = (home: Home, run: RunRecord): void => writeRecord(pathOf(home, run.set), run);

export const forgetRun = (home: Home, set: string): void => rmSync(pathOf(home, set), { force: true });

const pathOf = (home: Home, set: string) => join(home.sets, `${set}.json`);

function parseRun(fields: Fields): RunRecord {
  return {
    set: text(fields, 'set'),
    startedAt: optional(number, fields, 'startedAt'),
    doneAt: optional(number, fields, 'doneAt'),
    walkedAt: optional(number, fields, 'walkedAt'),
    selection: optional(text, fields, 'selection'),
    last: isFields(fields['last']) ? parseOutcome(fields['last']) : null,
    failure: isFields(fields['failure']) ? parseFailure(fields['failure']) : null,
    notes: Array.isArray(fields['notes']) ? fields['notes'].map(String) : [],
  };
}

function parseOutcome(fields: Fields): RunOutcome {
  return {
    kind: fields['kind'] === 'current' ? 'current' : 'committed',
    at: number(fields, 'at'),
    snapshot: optional(text, fields, 'snapshot'),
    files: number(fields, 'files'),
    bytes: number(fields, 'bytes'),
    sent: number(fields, 'sent'),
    skipped: number(fields, 'skipped'),
  };
}

export const parseFailure = (fields: Fields): RunFailure => ({
  code: text(fields, 'code'),
  message: text(fields, 'message'),
  at: number(fields, 'at'),
  count: number(fields, 'count'),
});
