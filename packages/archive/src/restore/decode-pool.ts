/**
 * Opens frames in worker threads: decrypting, decompressing and hashing cost more than all else of a restore, and the
 * thread that writes must not wait for them. What little comes first is opened on the spot: a few trees are done before
 * a thread has started.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import { exitOf } from '../system/thread-exit.ts';
import { answerOf, type DecodeThread, openFrame, type PoolRequest, type PoolResponse } from './open-frame.ts';
import type { DeliverOpened, FrameOpener, FrameToOpen } from './session-reader.ts';

export type DecodePool = FrameOpener & { close(): Promise<void> };

/** Bytes opened in the calling thread before others are started. */
const INLINE_BYTES = 4_194_304;
const MAX_WORKERS = 8;
/** They hold big buffers and few objects: room for young objects would only be touched in turn. */
const YOUNG_MB = 8;

export const defaultWorkers = (): number => Math.min(MAX_WORKERS, availableParallelism());

/** `workers` 0 opens everything in the calling thread. */
export function createDecodePool(keys: ArchiveKeys, workers: number = defaultWorkers()): DecodePool {
  const crypto = createArchiveCrypto(keys);
  const threads: Thread[] = [];
  let opened = 0;
  const leastBusy = (): Thread => {
    while (threads.length < workers) threads.push(new Thread(keys));
    return threads.reduce((best, thread) => (thread.waiting < best.waiting ? thread : best));
  };
  return {
    open: async (range, frames, deliver) => {
      opened += range.length;
      if (workers > 0 && opened > INLINE_BYTES) return leastBusy().open(range, frames, deliver);
      for (const frame of frames) {
        const message = openFrame(crypto, range, frame);
        deliver(frame.chunk, answerOf(message), message.written);
      }
    },
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

type Job = {
  readonly deliver: DeliverOpened;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
};

class Thread {
  private readonly worker: Worker;
  private readonly exit: Promise<void>;
  private readonly closing = new Int32Array(new SharedArrayBuffer(4));
  private readonly jobs = new Map<number, Job>();
  private next = 0;
  /** Why it opens nothing any more. */
  private ended: unknown = null;

  constructor(keys: ArchiveKeys) {
    this.worker = new Worker(new URL('./decode-worker.ts', import.meta.url), {
      workerData: { keys, closing: this.closing } satisfies DecodeThread,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    this.exit = exitOf(this.worker);
    this.worker.on('message', (response: PoolResponse) => this.take(response));
    this.worker.on('error', (error) => this.end(error));
    this.worker.on('exit', () => this.end(new Error('A decoding thread ended.')));
  }

  get waiting(): number {
    return this.jobs.size;
  }

  open(range: Uint8Array, frames: readonly FrameToOpen[], deliver: DeliverOpened): Promise<void> {
    if (this.ended !== null) return Promise.reject(this.ended);
    const job = this.next++;
    return new Promise((resolve, reject) => {
      this.jobs.set(job, { deliver, resolve, reject });
      this.post({ kind: 'open', job, range, frames }, wholeBuffer(range));
    });
  }

  /** Ends the thread after the frame at hand; what it was opening is rejected. */
  async close(): Promise<void> {
    Atomics.store(this.closing, 0, 1);
    this.post({ kind: 'close' }, []);
    await this.exit;
  }

  private take({ job, opened, last }: PoolResponse): void {
    const waiting = this.jobs.get(job);
    try {
      for (const message of opened) waiting?.deliver(message.index, answerOf(message), message.written);
      if (last) waiting?.resolve();
    } catch (error) {
      waiting?.reject(error);
      this.jobs.delete(job); // the rest of it is received, and dropped
    }
    if (last) this.jobs.delete(job);
    this.post({ kind: 'taken' }, []);
  }

  private post(message: PoolRequest, transfer: ArrayBuffer[]): void {
    this.worker.postMessage(message, transfer);
  }

  private end(reason: unknown): void {
    this.ended ??= reason;
    for (const { reject } of this.jobs.values()) reject(reason);
    this.jobs.clear();
  }
}

/** A range is handed over rather than copied only when nothing else can lie in its memory: where it comes from is not known here. */
const wholeBuffer = ({ buffer, byteLength }: Uint8Array): ArrayBuffer[] =>
  buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
