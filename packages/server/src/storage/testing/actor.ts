// Something that runs in steps which a test decides: it stops before each of its operations on the store point until it is
// let go on, so that anything may happen in between. A killed one stops for ever where it is.

import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import type { Archive } from '../index/archives.ts';
import type { Index } from '../index/open-index.ts';
import type { Run } from '../maintenance/run.ts';
import type { StorePoint } from '../store-point.ts';

export class Killed extends Error {
  override readonly name = 'Killed';
}

export class Actor<T> {
  result: T | undefined;
  private ended: Promise<void>;
  private isOver = false;
  private isKilled = false;
  private go: () => void = () => {};
  private arrived = Promise.withResolvers<void>();

  /** `work` begins with the first step. */
  constructor(work: (stop: () => Promise<void>) => Promise<T>) {
    this.ended = this.stop()
      .then(() => work(() => this.stop()))
      .then((result) => {
        this.result = result;
      })
      .catch((error: unknown) => {
        if (!(error instanceof Killed)) throw error;
      })
      .finally(() => {
        this.isOver = true;
        this.arrived.resolve();
      });
    this.ended.catch(() => {}); // the step that it fails in tells of it
  }

  get over(): boolean {
    return this.isOver;
  }

  /** Lets it go on to its next stop, or to its end. Rejects with what it failed with. */
  async step(): Promise<void> {
    this.arrived = Promise.withResolvers();
    this.go();
    await this.arrived.promise;
    if (this.isOver) await this.ended;
  }

  /** As a power cut: nothing of it happens any more. */
  async kill(): Promise<void> {
    this.isKilled = true;
    this.go();
    await this.ended.catch(() => {}); // what it failed with before, a step has told; after a power cut there is nobody to fail
  }

  private async stop(): Promise<void> {
    if (this.isKilled) throw new Killed();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.go = resolve;
    this.arrived.resolve();
    await promise;
    if (this.isKilled) throw new Killed();
  }
}

/**
 * A store point on which whoever works stops before each question to the index, each transaction, and each object that is read,
 * written or deleted.
 */
export function steppedPoint(point: StorePoint, stop: () => Promise<void>): StorePoint {
  const stepped =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await stop();
      return call(...args);
    };
  const index: Index = {
    kind: point.index.kind,
    read: stepped((work) => point.index.read(work)) as Index['read'],
    write: stepped((work) => point.index.write(work)) as Index['write'],
    close: () => point.index.close(),
  };
  const blobs: BlobStore = {
    put: stepped((name, bytes, options) => point.blobs.put(name, bytes, options)),
    get: stepped((name, range, signal) => point.blobs.get(name, range, signal)),
    stat: (name) => point.blobs.stat(name),
    list: (prefix, options) => point.blobs.list(prefix, options),
    delete: stepped((name) => point.blobs.delete(name)),
    writer: async () => {
      const writer = await point.blobs.writer();
      return {
        write: (chunk) => writer.write(chunk),
        commit: stepped((name, options) => writer.commit(name, options)),
        abort: () => writer.abort(),
      };
    },
  };
  return { ...point, index, blobs };
}

/** A run of maintenance on such a point, in no lane. */
export function steppedRun(point: StorePoint, archive: Archive, stop: () => Promise<void>): Run {
  const stepped = steppedPoint(point, stop);
  return {
    point: stepped,
    archive,
    signal: undefined,
    emit: () => {},
    step: (work) => stepped.index.write(work),
  };
}
