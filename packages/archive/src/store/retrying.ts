// A store that tries again: exponential back-off with full jitter (a random share of a doubling bound), so that many
// callers that failed together do not come back together.
//
// Every call of the port may be repeated. A put whose answer was lost answers `exists` at the second try under `ifAbsent`: what is
// stored is the same. A full store is not tried again here, since it stays full for longer than a call should wait. A writer's own calls are not
// either: its bytes are gone after a failure, and only its user can write them again.

import { setTimeout as delay } from 'node:timers/promises';
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

export type Retries = {
  /** Tries in all, the first included. */
  readonly attempts: number;
  /** Bound of the first wait in ms; it doubles with each. */
  readonly base: number;
  /** The largest bound in ms. */
  readonly cap: number;
};

export const DEFAULT_RETRIES: Retries = { attempts: 5, base: 100, cap: 5_000 };

export type RetryingOptions = Partial<Retries> & {
  /** A number in [0, 1). */
  readonly random?: () => number;
  readonly wait?: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly onRetry?: (retry: {
    readonly error: ArchiveError;
    readonly attempt: number;
    readonly waitMs: number;
  }) => void;
};

export class RetryingStore implements BlobStore {
  private readonly inner: BlobStore;
  private readonly options: Required<Omit<RetryingOptions, 'onRetry'>> & Pick<RetryingOptions, 'onRetry'>;

  constructor(inner: BlobStore, options: RetryingOptions = {}) {
    this.inner = inner;
    this.options = { ...DEFAULT_RETRIES, random: Math.random, wait, ...options };
  }

  put(name: string, bytes: Uint8Array | readonly Uint8Array[], options?: PutOptions): Promise<PutResult> {
    return this.retry(() => this.inner.put(name, bytes, options));
  }

  get(name: string, range?: BlobRange, signal?: AbortSignal): Promise<Uint8Array> {
    return this.retry(() => this.inner.get(name, range, signal), signal);
  }

  stat(name: string): Promise<BlobStat | null> {
    return this.retry(() => this.inner.stat(name));
  }

  /** Goes on behind the last name it gave, so that nothing is given twice. */
  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<BlobInfo> {
    let { after } = options;
    for (let attempt = 1; ; attempt++) {
      try {
        for await (const info of this.inner.list(prefix, after === undefined ? options : { ...options, after })) {
          after = info.name;
          attempt = 1;
          yield info;
        }
        return;
      } catch (error) {
        await this.backOff(error, attempt, options.signal);
      }
    }
  }

  delete(name: string): Promise<void> {
    return this.retry(() => this.inner.delete(name));
  }

  writer(): Promise<BlobWriter> {
    return this.retry(() => this.inner.writer());
  }

  private async retry<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        await this.backOff(error, attempt, signal);
      }
    }
  }

  /** Waits before the next try, or throws what cannot be tried again. */
  private async backOff(error: unknown, attempt: number, signal: AbortSignal | undefined): Promise<void> {
    const { attempts, base, cap, random } = this.options;
    if (!isWorthRepeating(error) || attempt >= attempts) throw error;
    const waitMs = random() * Math.min(cap, base * 2 ** (attempt - 1));
    this.options.onRetry?.({ error, attempt, waitMs });
    await this.options.wait(waitMs, signal);
  }
}

function isWorthRepeating(error: unknown): error is ArchiveError {
  return error instanceof ArchiveError && error.retryable && error.code !== 'store_full';
}

async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
