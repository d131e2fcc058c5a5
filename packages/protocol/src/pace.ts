/**
 * How slow the other side may be. Silence ends a connection anyway; this ends one on which a byte comes now and then, which
 * could be held for ever at no cost. Both sides ask for the same: 60 kB in each two minutes, 500 bytes a second, as the Apache
 * server does by default (mod_reqtimeout). Six uploads that share an honest line of 16 kB/s have five times as much.
 */
export type Pace = { readonly bytes: number; readonly ms: number };

export const LEAST_PACE: Pace = { bytes: 60_000, ms: 120_000 };

/**
 * Passes `source` on. `onSlow` is called, once, when it took longer than `pace.ms` to bring the next `pace.bytes`, or its end; it
 * owes to make the source end. What whoever reads does in between does not count.
 */
export async function* keptToPace(
  source: AsyncIterable<Uint8Array>,
  onSlow: () => void,
  pace: Pace = LEAST_PACE,
  now: () => number = () => performance.now(),
): AsyncGenerator<Uint8Array> {
  let due = pace.bytes;
  let left = pace.ms;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let began = now();
  const wait = (): void => {
    began = now();
    timer = setTimeout(onSlow, Math.max(0, left));
  };
  wait();
  try {
    for await (const chunk of source) {
      clearTimeout(timer);
      left -= now() - began;
      due -= chunk.length;
      if (due <= 0) [due, left] = [pace.bytes, pace.ms];
      yield chunk;
      wait();
    }
  } finally {
    clearTimeout(timer);
  }
}
