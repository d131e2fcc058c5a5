import { setTimeout } from 'node:timers/promises';
import type { Time } from './token-bucket.ts';

/** The clock of this machine. */
export const systemTime = (now: () => number): Time => ({
  now,
  ticks: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await setTimeout(ms, undefined, signal ? { signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
});
