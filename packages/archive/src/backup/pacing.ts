/** Keeps a thread to its share of a processor: after each piece of work it rests as long as the share asks for. */
export function createPace(share: () => number, rest: (ms: number) => void, now: () => number): () => void {
  let since = now();
  return () => {
    const wanted = Math.max(share(), SMALLEST_SHARE);
    if (wanted < 1) rest((now() - since) * (1 / wanted - 1));
    since = now();
  };
}

/** Less would look like standing still. */
const SMALLEST_SHARE = 0.02;
const STEPS = 10_000;

/** The share that is allowed now, in memory that all threads see: whoever uses the machine may come and go while a run lasts. */
export class CpuShare {
  readonly memory: SharedArrayBuffer;
  private readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.memory = memory;
    this.words = new Int32Array(memory);
  }

  /** Above 0 and up to 1. */
  set(share: number): void {
    Atomics.store(this.words, 0, Math.round(share * STEPS));
  }

  get(): number {
    return Atomics.load(this.words, 0) / STEPS;
  }
}
