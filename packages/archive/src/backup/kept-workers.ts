/**
 * Worker threads that outlive a run, for whoever makes one after the other: starting them costs more than a small run itself. At most one
 * pool is kept, without anything of the run that had it, and it ends when nobody has wanted it for a while.
 *
 * ```
 * take      the pool that is kept, if it has as many threads and all of them live; else a new one
 * giveBack  kept if every thread does nothing, after a run that came to its end; else it ends
 * ```
 */
import type { SourceModule } from '../source/source.ts';
import { returnFreeMemory } from '../system/native.ts';
import { WorkerPool } from './pool.ts';

/** Where a run has its threads from. */
export interface Workers {
  take(count: number, source: SourceModule | null): WorkerPool;
  giveBack(pool: WorkerPool): Promise<void>;
}

/** A run has its own. */
export const NEW_WORKERS: Workers = {
  take: (count, sourceModule) => new WorkerPool(count, { sourceModule }),
  giveBack: (pool) => pool.close(),
};

export class KeptWorkers implements Workers {
  private readonly idleMs: number;
  private kept: WorkerPool | null = null;
  private ending: NodeJS.Timeout | undefined;
  private closed = false;

  constructor({ idleMs }: { readonly idleMs: number }) {
    this.idleMs = idleMs;
  }

  take(count: number, source: SourceModule | null): WorkerPool {
    const kept = this.forget();
    if (kept?.isIdle && kept.size === count && kept.source === source) return kept;
    void kept?.close();
    return NEW_WORKERS.take(count, source);
  }

  async giveBack(pool: WorkerPool): Promise<void> {
    if (this.closed || this.kept !== null || !pool.isIdle) return pool.close();
    pool.end();
    this.kept = pool;
    this.ending = setTimeout(() => void this.end(), this.idleMs).unref();
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.forget()?.close();
  }

  private async end(): Promise<void> {
    await this.forget()?.close();
    returnFreeMemory();
  }

  private forget(): WorkerPool | null {
    const { kept } = this;
    this.kept = null;
    clearTimeout(this.ending);
    return kept;
  }
}
