import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Home } from './home.ts';
import { type Fields, number, optional, readRecord, writeRecord } from './record.ts';

/** A pause survives restarts: a person asked for it. `until` null lasts until `holdfast resume`. */
export type Pause = { readonly since: number; readonly until: number | null };

const pathOf = (home: Home) => join(home.state, 'pause.json');

/** The pause in force at `now`. */
export function readPause(home: Home, now: number): Pause | null {
  const pause = readRecord(pathOf(home), parsePause);
  return pause !== null && (pause.until === null || pause.until > now) ? pause : null;
}

export function writePause(home: Home, pause: Pause | null): void {
  if (pause === null) rmSync(pathOf(home), { force: true });
  else writeRecord(pathOf(home), pause);
}

const parsePause = (fields: Fields): Pause => ({
  since: number(fields, 'since'),
  until: optional(number, fields, 'until'),
});
