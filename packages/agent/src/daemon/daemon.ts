import { join } from 'node:path';
import { KeptWorkers } from '@holdfast/archive/backup/kept-workers.ts';
import type { Config } from '../config.ts';
import { AgentError } from '../errors.ts';
import type { FillRandom } from '../keys/device-keys.ts';
import type { Time } from '../limits/token-bucket.ts';
import { type Home, sweep } from '../state/home.ts';
import { tryLock } from '../state/lock.ts';
import { createWatcher } from '../watch/watcher.ts';
import { serveControl } from './control.ts';
import type { DaemonEvent } from './daemon-event.ts';
import { Loop } from './loop.ts';
import { createServerLink } from './server-link.ts';

/**
 * The service: makes versions of every set, continuously, until it is told to stop.
 *
 * Nouns: a *due* says when a set runs next and how (sets/schedule.ts); a *hint* is what the watcher knows (watch/); the *link* is the
 * connection to the server, or why there is none (server-link.ts); a *decision* is what happens next (decide.ts).
 *
 * ```
 * hold the service's lock · listen for commands (control.ts)
 * loop:  look at settings, records, hints, battery, link -> decide (pure)
 *        run a set · or ask whether the server is back · or wait for time, change or command
 * each minute, beside it: probe the watcher, look who is present, notice that the device slept
 * ```
 * It stops where a run can stop: what was sent is kept, and the next start goes on from there.
 */
export type DaemonOptions = {
  readonly home: Home;
  readonly config: Config;
  readonly time: Time;
  readonly zone: string;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly fillRandom: FillRandom;
  readonly pid: number;
  /** Ends as soon as nothing is due: for tests, and for devices that are started for a backup. */
  readonly untilIdle: boolean;
  readonly onEvent: (event: DaemonEvent) => void;
  readonly signal: AbortSignal;
};

/** Longer than people wait between two versions that they ask for; in between it is not worth the memory. */
const THREADS_KEPT_MS = 5 * 60_000;

export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { home, time, onEvent } = options;
  const lock = tryLock(join(home.locks, 'service'));
  if (lock === null) throw new AgentError('daemon_running');
  const watcher = createWatcher({
    probeFolder: join(home.run, 'probe'),
    now: time.now,
    onEvent: (event) => loop.onWatch(event),
  });
  const threads = new KeptWorkers({ idleMs: THREADS_KEPT_MS });
  const loop: Loop = new Loop({ ...options, watcher, threads, link: createServerLink(options) });
  try {
    sweep(home);
    const control = await serveControl(home, loop.handlers());
    onEvent({ kind: 'started', pid: options.pid });
    try {
      await loop.run();
    } finally {
      await control.close();
      onEvent({ kind: 'stopped' });
    }
  } finally {
    await Promise.all([watcher.close(), threads.close()]);
    lock.release();
  }
}
