// Work on the items of a listing, some at a time.

/** Results come as they are ready. The first failure ends it; what is under way then is waited for. */
export async function* concurrently<T, R>(
  items: AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running = new Set<Promise<{ readonly result: R; readonly done: () => void }>>();
  const next = async (): Promise<R> => {
    const { result, done } = await Promise.race(running);
    done();
    return result;
  };
  try {
    for await (const item of items) {
      const job: Promise<{ result: R; done: () => void }> = work(item).then((result) => ({
        result,
        done: () => running.delete(job),
      }));
      // Its failure is told when it is raced for, which may be after the next item came.
      job.catch(() => undefined);
      running.add(job);
      if (running.size >= limit) yield await next();
    }
    while (running.size > 0) yield await next();
  } finally {
    await Promise.allSettled(running);
  }
}
