import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Exclusions } from '@holdfast/archive/source/source.ts';
import type { Hint } from '../sets/schedule.ts';
import { toBytes, toLatin1 } from './folder-watch.ts';
import type { FromThread, Lost, ToThread } from './messages.ts';

/**
 * The watcher, seen from the service: which folders of a set changed since its last run.
 *
 * It is a hint, never a proof (ARCHIVE §6): it saves walking what did not change during the day, and the daily walk of everything
 * makes good what it missed. So it gives up easily: after a burst, an error, a limit of the system or a dead thread it
 * knows nothing, and the next run walks everything.
 *
 * ```
 * subscribe(set)       before a walk of everything: from here on changes are gathered
 * take(set)            at the beginning of a run: the folders to walk, or null for all
 * giveBack(set, taken) when the run fails
 * probe()              every minute: writes a file in a folder of its own; unless the thread hears of it by the
 *                      next probe, it is replaced and nothing is known any more
 * ```
 */
export type WatchState =
  | { readonly kind: 'off' | 'starting' }
  | { readonly kind: 'watching'; readonly folders: number; readonly closed: number }
  | { readonly kind: 'lost'; readonly why: Lost; readonly at: number };

export type Watcher = {
  subscribe(set: string, roots: readonly Uint8Array[], exclude: Exclusions): Promise<WatchState>;
  unsubscribe(set: string): void;
  hint(set: string): Hint;
  state(set: string): WatchState;
  take(set: string): readonly Buffer[] | null;
  giveBack(set: string, taken: readonly Buffer[] | null): void;
  probe(): void;
  close(): Promise<void>;
};

export type WatcherOptions = {
  /** Belongs to the watcher alone. */
  readonly probeFolder: string;
  readonly now: () => number;
  /** Something about a set changed: what is known of it, or what `status` should say. */
  readonly onEvent: (event: { readonly kind: 'changed' | 'watching' | 'lost'; readonly set: string }) => void;
};

/** More changed folders than this are not worth naming: everything is walked. */
const MOST_FOLDERS = 20_000;
/** A limit does not go away by itself: no new try for a day. */
const LIMIT_RETRY_MS = 24 * 3_600_000;

type SetWatch = {
  number: number;
  state: WatchState;
  changed: Set<string>;
  settle: ((state: WatchState) => void) | null;
};

export function createWatcher({ probeFolder, now, onEvent }: WatcherOptions): Watcher {
  const sets = new Map<string, SetWatch>();
  let thread: Worker | null = null;
  let numbers = 0;
  let probes = 0;
  let unheard = false;

  function start(): Worker {
    mkdirSync(probeFolder, { recursive: true, mode: 0o700 });
    const worker = new Worker(new URL('./thread.ts', import.meta.url), { name: 'holdfast watcher' });
    worker.on('message', receive);
    worker.on('error', (error: Error) => abandon(worker, error.message));
    worker.on('exit', () => abandon(worker, 'the thread ended'));
    worker.unref();
    worker.postMessage({ kind: 'probe', folder: probeFolder } satisfies ToThread);
    unheard = false;
    return worker;
  }

  /** Whatever it knew is worth nothing now; the next subscription starts a new one. */
  function abandon(worker: Worker, detail: string): void {
    if (thread !== worker) return;
    thread = null;
    void worker.terminate();
    for (const [set, watched] of sets)
      settle(set, watched, { kind: 'lost', why: { kind: 'error', detail }, at: now() });
  }

  function settle(set: string, watched: SetWatch, state: WatchState): void {
    watched.state = state;
    watched.settle?.(state);
    watched.settle = null;
    if (state.kind === 'watching' || state.kind === 'lost') onEvent({ kind: state.kind, set });
  }

  function receive(message: FromThread): void {
    if (message.kind === 'alive') {
      unheard = false;
      return;
    }
    const watched = sets.get(message.set);
    if (watched === undefined || watched.number !== message.number) return;
    switch (message.kind) {
      case 'watching':
        settle(message.set, watched, { kind: 'watching', folders: message.folders, closed: message.closed });
        return;
      case 'lost':
        watched.changed.clear();
        settle(message.set, watched, { kind: 'lost', why: message.why, at: now() });
        return;
      case 'changed':
        addChanged(message.set, watched, message.folders);
        onEvent({ kind: 'changed', set: message.set });
        return;
      default:
        message satisfies never;
    }
  }

  function addChanged(set: string, watched: SetWatch, folders: Iterable<string>): void {
    for (const folder of folders) watched.changed.add(folder);
    if (watched.changed.size <= MOST_FOLDERS) return;
    stop(set, watched);
    settle(set, watched, {
      kind: 'lost',
      why: { kind: 'burst', detail: `over ${MOST_FOLDERS} folders changed` },
      at: now(),
    });
  }

  function stop(set: string, watched: SetWatch): void {
    watched.number = ++numbers;
    watched.changed.clear();
    thread?.postMessage({ kind: 'forget', set } satisfies ToThread);
  }

  const limited = (state: WatchState | undefined): boolean =>
    state?.kind === 'lost' && state.why.kind === 'limit' && now() - state.at < LIMIT_RETRY_MS;

  return {
    subscribe(set, roots, exclude) {
      const before = sets.get(set);
      if (before && (before.state.kind === 'watching' || limited(before.state))) return Promise.resolve(before.state);
      thread ??= start();
      const subscription = { set, number: ++numbers, roots: roots.map(toLatin1), exclude };
      return new Promise((resolve) => {
        before?.settle?.({ kind: 'off' });
        sets.set(set, {
          number: subscription.number,
          state: { kind: 'starting' },
          changed: new Set(),
          settle: resolve,
        });
        thread?.postMessage({ kind: 'watch', subscription } satisfies ToThread);
      });
    },
    unsubscribe(set) {
      const watched = sets.get(set);
      if (watched === undefined) return;
      stop(set, watched);
      watched.settle?.({ kind: 'off' });
      sets.delete(set);
    },
    hint(set) {
      const watched = sets.get(set);
      if (watched?.state.kind !== 'watching') return 'unknown';
      return watched.changed.size > 0 ? 'changed' : 'unchanged';
    },
    state: (set) => sets.get(set)?.state ?? { kind: 'off' },
    take(set) {
      const watched = sets.get(set);
      if (watched?.state.kind !== 'watching') return null;
      const folders = [...watched.changed].map(toBytes);
      watched.changed.clear();
      return folders;
    },
    giveBack(set, taken) {
      const watched = sets.get(set);
      if (watched === undefined) return;
      if (taken !== null) addChanged(set, watched, taken.map(toLatin1));
      else if (watched.state.kind === 'watching') {
        stop(set, watched);
        settle(set, watched, {
          kind: 'lost',
          why: { kind: 'error', detail: 'the walk of everything failed' },
          at: now(),
        });
      }
    },
    probe() {
      if (thread === null) return;
      if (unheard) {
        abandon(thread, 'the thread did not hear of its probe');
        return;
      }
      unheard = true;
      try {
        mkdirSync(probeFolder, { recursive: true, mode: 0o700 });
        writeFileSync(join(probeFolder, 'probe'), String(++probes));
      } catch (error) {
        abandon(thread, `the probe cannot be written: ${(error as Error).message}`);
      }
    },
    async close() {
      const worker = thread;
      thread = null;
      sets.clear();
      await worker?.terminate();
    },
  };
}
