// A store that tells how long each call took, how many bytes it moved and how it ended, for metrics and benchmarks.

import { ArchiveError } from '../errors.ts';
import type {
  BlobInfo,
  BlobRange,
  BlobStat,
  BlobStore,
  BlobWriter,
  ListOptions,
  PutOptions,
  PutResult,
} from './blob-store.ts';

export type Measurement = {
  /** `commit` covers a writer from its making to its name, waiting for its user included. */
  readonly call: 'put' | 'get' | 'stat' | 'list' | 'delete' | 'commit';
  readonly ms: number;
  /** Moved by `put`, `get` and `commit`. */
  readonly bytes: number;
  /** `ok`, the code of the error, or `other`. */
  readonly outcome: string;
};

export class MeasuredStore implements BlobStore {
  private readonly inner: BlobStore;
  private readonly onMeasured: (measurement: Measurement) => void;
  private readonly now: () => number;

  /** `now` in ms; the default never jumps. */
  constructor(inner: BlobStore, onMeasured: (measurement: Measurement) => void, now: () => number = defaultClock) {
    this.inner = inner;
    this.onMeasured = onMeasured;
    this.now = now;
  }

  put(name: string, bytes: Uint8Array | readonly Uint8Array[], options?: PutOptions): Promise<PutResult> {
    const parts = bytes instanceof Uint8Array ? [bytes] : bytes;
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    return this.measure(
      'put',
      () => this.inner.put(name, bytes, options),
      () => total,
    );
  }

  get(name: string, range?: BlobRange, signal?: AbortSignal): Promise<Uint8Array> {
    return this.measure(
      'get',
      () => this.inner.get(name, range, signal),
      (bytes) => bytes.length,
    );
  }

  stat(name: string): Promise<BlobStat | null> {
    return this.measure('stat', () => this.inner.stat(name));
  }

  /** Measured from the first to the last name, the time of its user included. */
  async *list(prefix: string, options?: ListOptions): AsyncGenerator<BlobInfo> {
    const started = this.now();
    let outcome = 'ok';
    try {
      yield* this.inner.list(prefix, options);
    } catch (error) {
      outcome = outcomeOf(error);
      throw error;
    } finally {
      this.onMeasured({ call: 'list', ms: this.now() - started, bytes: 0, outcome });
    }
  }

  delete(name: string): Promise<void> {
    return this.measure('delete', () => this.inner.delete(name));
  }

  async writer(): Promise<BlobWriter> {
    const started = this.now();
    const inner = await this.inner.writer();
    let bytes = 0;
    return {
      write: async (chunk) => {
        await inner.write(chunk);
        bytes += chunk.length;
      },
      commit: (name, options) =>
        this.measure(
          'commit',
          () => inner.commit(name, options),
          () => bytes,
          started,
        ),
      abort: () => inner.abort(),
    };
  }

  private async measure<T>(
    call: Measurement['call'],
    work: () => Promise<T>,
    bytesOf: (result: T) => number = () => 0,
    started: number = this.now(),
  ): Promise<T> {
    try {
      const result = await work();
      this.onMeasured({ call, ms: this.now() - started, bytes: bytesOf(result), outcome: 'ok' });
      return result;
    } catch (error) {
      this.onMeasured({ call, ms: this.now() - started, bytes: 0, outcome: outcomeOf(error) });
      throw error;
    }
  }
}

const defaultClock = (): number => performance.now();

function outcomeOf(error: unknown): string {
  return error instanceof ArchiveError ? error.code : 'other';
}
