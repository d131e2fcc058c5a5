import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Power } from '../present/battery.ts';
import type { Limits, Presence } from '../present/presence.ts';
import type { Due } from '../sets/schedule.ts';
import type { Home } from '../state/home.ts';
import type { Pause } from '../state/pause.ts';
import type { DueRenewal } from '../state/renewal.ts';
import type { RunRecord } from '../state/run-record.ts';
import type { WatchState } from '../watch/watcher.ts';
import type { WaitReason } from './decide.ts';

/** What `holdfast status` shows, and what lies in `run/status.json` for other programs. */
export type Status = {
  readonly version: string;
  readonly device: {
    readonly id: string;
    readonly name: string;
    readonly user: string;
    readonly server: string;
  } | null;
  /** `null`: no service runs, so nothing happens by itself. */
  readonly daemon: DaemonStatus | null;
  readonly pause: Pause | null;
  /** Keys that a removed device still has, until they are renewed. */
  readonly renewal: DueRenewal | null;
  readonly sets: readonly SetStatus[];
};

export type DaemonStatus = {
  readonly pid: number;
  readonly startedAt: number;
  readonly state: 'idle' | 'running' | 'waiting';
  readonly waiting: WaitReason | null;
  /** Until when it waits at the latest. */
  readonly until: number | null;
  readonly running: Running | null;
  readonly presence: Presence;
  readonly limits: Limits;
  readonly power: Power;
  /** The last time that the device slept: when it woke, and how long it was away. */
  readonly slept: { readonly wokeAt: number; readonly ms: number } | null;
};

export type Running = {
  readonly set: string;
  readonly startedAt: number;
  readonly walk: Due['walk'];
  readonly entriesDone: number;
  readonly entriesTotal: number | null;
  readonly bytesDone: number;
  readonly bytesTotal: number | null;
  readonly bytesSent: number;
  readonly bytesWaiting: number;
  /** What the run itself waits for: the server, mostly. */
  readonly waiting: string | null;
};

export type SetStatus = {
  readonly id: string;
  readonly name: string;
  readonly priority: number;
  readonly roots: readonly string[];
  readonly run: RunRecord;
  readonly next: Pick<Due, 'at' | 'walk' | 'because'>;
  readonly watch: WatchState;
};

/** Replaced whole, so that a reader never sees half of it; not synced, since it is worth nothing after a crash. */
export function writeStatus(home: Pick<Home, 'run'>, status: Status): void {
  const path = join(home.run, 'status.json');
  writeFileSync(`${path}.tmp`, `${JSON.stringify(status, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}
