/**
 * Runs a source ahead of its consumer by up to `limit` items, so that what the source waits for overlaps with what the consumer does. An
 * error comes after the items before it. Ends the source when the consumer leaves early.
 */
export async function* ahead<T>(source: AsyncGenerator<T>, limit: number): AsyncGenerator<T> {
  const queue: T[] = [];
  let ended: { readonly error?: unknown } | null = null;
  let wakeConsumer = () => {};
  let wakeSource = () => {};
  let left = false;

  const running = (async () => {
    try {
      for await (const item of source) {
        queue.push(item);
        wakeConsumer();
        while (queue.length >= limit && !left) await new Promise<void>((resolve) => (wakeSource = resolve));
        if (left) break;
      }
      ended = {};
    } catch (error) {
      ended = { error };
    }
    wakeConsumer();
  })();

  try {
    for (;;) {
      const items = queue.splice(0);
      wakeSource();
      yield* items;
      if (queue.length > 0) continue;
      if (ended === null) await new Promise<void>((resolve) => (wakeConsumer = resolve));
      else if (queue.length === 0) break;
    }
    const { error } = ended as { readonly error?: unknown };
    if (error !== undefined) throw error;
  } finally {
    left = true;
    wakeSource();
    await running;
  }
}
