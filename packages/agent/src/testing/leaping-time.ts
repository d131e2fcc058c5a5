import { setImmediate } from 'node:timers/promises';
import type { Time } from '../limits/token-bucket.ts';

/** A clock on which nobody waits: who sleeps wakes at once, and it is later by as long. */
export function leapingTime(): Time {
  let ahead = 0;
  return {
    now: () => Date.now() + ahead,
    ticks: () => performance.now() + ahead,
    async sleep(ms, signal) {
      ahead += ms;
      await setImmediate();
      signal?.throwIfAborted();
    },
  };
}
