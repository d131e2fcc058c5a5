/**
 * Keeps a stream of bytes to a rate. Bytes are paid after the fact: whoever sends takes what it has sent and then waits until
 * the debt is gone, so a large piece needs no room of its own and a rate may change at any moment.
 */
export type Bucket = {
  /** Bytes that were taken since it was made. */
  readonly passed: number;
  /** Resolves when the next bytes may go; at once where there is no limit. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
  /** Bytes a second; null for no limit. Whoever waits is asked again. */
  setRate(rate: number | null): void;
};

export type Time = {
  /** Milliseconds since 1970, as the clock of the device shows them: it may be set at any moment. */
  readonly now: () => number;
  /** Milliseconds from some moment on, which nobody can set. */
  readonly ticks: () => number;
  /** Rejects with the signal's reason when it is aborted. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
};

/** How much may go at once after a rest: smooth enough for others on the line, large enough not to wake up all the time. */
const BURST_SECONDS = 0.25;
/** A new rate is noticed after this long at the latest. */
const LONGEST_SLEEP_MS = 500;

export function createBucket({ ticks, sleep }: Pick<Time, 'ticks' | 'sleep'>, initial: number | null = null): Bucket {
  let rate = initial;
  /** Below zero: owed. Never above what a burst allows. */
  let tokens = 0;
  let since = ticks();
  let passed = 0;

  function refill(): void {
    const at = ticks();
    if (rate !== null) tokens = Math.min(rate * BURST_SECONDS, tokens + (rate * Math.max(0, at - since)) / 1000);
    since = at;
  }

  return {
    get passed() {
      return passed;
    },
    async take(bytes, signal) {
      signal?.throwIfAborted();
      passed += bytes;
      if (rate === null) return;
      refill();
      tokens -= bytes;
      while (rate !== null && tokens < 0) {
        await sleep(Math.min(LONGEST_SLEEP_MS, Math.ceil((-tokens * 1000) / rate)), signal);
        refill();
      }
    },
    setRate(next) {
      refill();
      rate = next;
      if (rate === null) tokens = 0;
    },
  };
}
