/**
 * The worker threads of one backup. They start at once and load while the main thread still talks to the destination; each answers
 * messages in order. A worker that fails or dies ends the run: what it had claimed would never be stored.
 */
import { Worker } from 'node:worker_threads';
import { ArchiveError } from '../errors.ts';
import type { FromWorker, PortableError, ToWorker, WorkerData } from './messages.ts';

const SCRIPT = new URL('./worker.ts', import.meta.url);

/** Workers hold big buffers and few objects: room for young objects would only be touched in turn. */
const YOUNG_MB = 8;

export type Receive = (worker: number, message: FromWorker) => void;

export class WorkerPool {
  private readonly workers: Worker[];
  private receive: Receive = () => {};
  private reject: (error: unknown) => void = () => {};
  /** Rejects when a worker fails; never resolves. */
  readonly failure: Promise<never>;

  constructor(count: number, data: WorkerData) {
    this.failure = new Promise<never>((_resolve, reject) => {
      this.reject = reject;
    });
    // Whoever waits for the run races with it; nobody may be waiting yet.
    this.failure.catch(() => {});
    this.workers = Array.from({ length: count }, (_, i) => this.start(i, data));
  }

  get size(): number {
    return this.workers.length;
  }

  /** From now on messages go to `receive`. */
  listen(receive: Receive): void {
    this.receive = receive;
  }

  send(worker: number, message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.workers[worker]?.postMessage(message, transfer);
  }

  broadcast(message: ToWorker): void {
    for (const worker of this.workers) worker.postMessage(message);
  }

  async close(): Promise<void> {
    this.receive = () => {};
    this.reject = () => {};
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private start(index: number, data: WorkerData): Worker {
    const worker = new Worker(SCRIPT, { workerData: data, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'failed') this.reject(errorOf(message.error));
      else this.receiveSafely(index, message);
    });
    worker.on('error', (error) => this.reject(error));
    worker.on('exit', (code) => this.reject(new Error(`A worker thread ended with code ${code}.`)));
    return worker;
  }

  private receiveSafely(index: number, message: FromWorker): void {
    try {
      this.receive(index, message);
    } catch (error) {
      this.reject(error);
    }
  }
}

function errorOf(error: Error | PortableError): Error {
  return error instanceof Error ? error : new ArchiveError(error.code, error.data, { cause: error.reason });
}
