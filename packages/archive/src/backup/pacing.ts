/** Keeps a thread to its share of a processor: after each piece of work it rests as long as the share asks for. */
export function createPace(share: number, rest: (ms: number) => void, now: () => number): () => void {
  if (share >= 1) return () => {};
  let since = now();
  return () => {
    const busy = now() - since;
    rest(busy * (1 / Math.max(share, SMALLEST_SHARE) - 1));
    since = now();
  };
}

/** Less would look like standing still. */
const SMALLEST_SHARE = 0.02;
