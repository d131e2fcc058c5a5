// Many may share, or one has it alone. Whoever asks for it alone waits for those inside and holds up those after.

export class SharedLock {
  private readonly inside = new Set<Promise<unknown>>();
  private last: Promise<unknown> = Promise.resolve();

  async shared<T>(task: () => Promise<T>): Promise<T> {
    // While waiting here another one may have asked to have it alone.
    for (let gate: unknown = null; gate !== this.last; ) {
      gate = this.last;
      await gate;
    }
    const running = task();
    this.inside.add(running);
    try {
      return await running;
    } finally {
      this.inside.delete(running);
    }
  }

  alone<T>(task: () => Promise<T>): Promise<T> {
    const before = this.last;
    const result = before.then(() => Promise.allSettled(this.inside)).then(task);
    this.last = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}
