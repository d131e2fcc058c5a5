import { join } from 'node:path';
import type { Home } from './home.ts';
import { type Fields, isFields, list, readRecord, text, writeRecord } from './record.ts';
import { parseFailure, type RunFailure } from './run-record.ts';

/** What this device knows of the renewal of its user's keys: whether it is due, and how far one has come that was begun. */
export type RenewalRecord = {
  readonly due: DueRenewal | null;
  readonly begun: BegunRenewal | null;
};

export type DueRenewal = {
  /** Names of the removed devices whose keys still fit. */
  readonly removed: readonly string[];
  /** The next backup does it; else a person has to (`holdfast key renew`). */
  readonly byItself: boolean;
  /** Why it did not work yet. */
  readonly failure: RunFailure | null;
};

export type BegunRenewal = {
  /** Recipient of the identity that is about to be introduced. */
  readonly identity: string;
  /** Recipients for whom a wrap of it is stored: a wrap is never taken away, so none is stored twice. */
  readonly wrapped: readonly string[];
};

const pathOf = (home: Home) => join(home.state, 'renewal.json');

export const readRenewal = (home: Home): RenewalRecord =>
  readRecord(pathOf(home), parseRenewal) ?? { due: null, begun: null };

export function updateRenewal(home: Home, changes: Partial<RenewalRecord>): void {
  const before = readRenewal(home);
  const after = { ...before, ...changes };
  if (JSON.stringify(after) !== JSON.stringify(before)) writeRecord(pathOf(home), after);
}

const parseRenewal = ({ due, begun }: Fields): RenewalRecord => ({
  due: isFields(due) ? parseDue(due) : null,
  begun: isFields(begun) ? { identity: text(begun, 'identity'), wrapped: list(begun, 'wrapped').map(String) } : null,
});

const parseDue = (fields: Fields): DueRenewal => ({
  removed: list(fields, 'removed').map(String),
  byItself: fields['byItself'] === true,
  failure: isFields(fields['failure']) ? parseFailure(fields['failure']) : null,
});
