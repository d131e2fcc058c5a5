import type { Hint } from '../sets/schedule.ts';
import { type Due, nextRun } from '../sets/schedule.ts';
import type { Home } from '../state/home.ts';
import { readRun } from '../state/run-record.ts';
import { type Settings, setsOf } from '../state/settings.ts';
import type { WatchState } from '../watch/watcher.ts';
import type { SetStatus } from './status.ts';

/** How each set is doing, with or without a service. */
export type Watching = { readonly hint: (set: string) => Hint; readonly state: (set: string) => WatchState };

export const NOT_WATCHING: Watching = { hint: () => 'unknown', state: () => ({ kind: 'off' }) };

export function duesOf(
  home: Home,
  settings: Settings,
  watching: Pick<Watching, 'hint'>,
  now: number,
  zone: string,
): Due[] {
  return setsOf(settings).map((set) => nextRun(set, readRun(home, set.id), watching.hint(set.id), now, zone));
}

export function setStatuses(
  home: Home,
  settings: Settings,
  watching: Watching,
  now: number,
  zone: string,
): SetStatus[] {
  return duesOf(home, settings, watching, now, zone).map(({ set, at, walk, because }) => ({
    id: set.id,
    name: set.name,
    priority: set.priority,
    roots: set.roots,
    run: readRun(home, set.id),
    next: { at, walk, because },
    watch: watching.state(set.id),
  }));
}
