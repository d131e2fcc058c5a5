import type { Time } from '../limits/token-bucket.ts';

/**
 * Another try for what is worth one: exponential back-off with full jitter, so that a fleet that lost its server does not come
 * back all at once. What the server says (Retry-After) goes before what we would guess.
 */
export type Retry = {
  readonly time: Pick<Time, 'ticks' | 'sleep'>;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** How long to go on after the first failure; the last error is thrown then, at once when the server asks for a longer wait. */
  readonly patienceMs: number;
  /** Says that it waits and why, and with `null` that it goes on. */
  readonly onWait?: (waiting: { readonly error: unknown; readonly ms: number } | null) => void;
};

const FIRST_MS = 500;
const LONGEST_MS = 60_000;

export async function retrying<T>(retry: Retry, operation: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  let since: number | null = null;
  for (let failures = 0; ; failures++) {
    try {
      const result = await operation();
      if (failures > 0) retry.onWait?.(null);
      return result;
    } catch (error) {
      signal?.throwIfAborted();
      const now = retry.time.ticks();
      since ??= now;
      const ms = delay(failures, retry.random, retryAfterOf(error));
      if (!isRetryable(error) || now + ms - since > retry.patienceMs) throw error;
      retry.onWait?.({ error, ms });
      await retry.time.sleep(ms, signal);
    }
  }
}

/** Full jitter over a doubling span; after what the server asks for, when it asks. */
export function delay(failures: number, random: () => number, retryAfterMs: number | undefined): number {
  const span = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return Math.round((retryAfterMs ?? 0) + random() * span);
}

/** Decided where the error was made; whatever does not say so is not. */
export const isRetryable = (error: unknown): boolean => (error as { retryable?: unknown } | null)?.retryable === true;

function retryAfterOf(error: unknown): number | undefined {
  const ms = (error as { retryAfterMs?: unknown }).retryAfterMs;
  return typeof ms === 'number' ? ms : undefined;
}
