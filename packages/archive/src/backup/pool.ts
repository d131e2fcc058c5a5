/**
 * The worker threads of a backup, and perhaps of the next one (kept-workers.ts). They start at once and load while the main thread still
 * talks to the destination; each answers messages in order. A worker that fails or dies ends the run: what it had claimed would never be
 * stored.
 */
import { Worker } from 'node:worker_threads';
import { ArchiveError } from '../errors.ts';
import type { SourceModule } from '../source/source.ts';
import { exitOf } from '../system/thread-exit.ts';
import type { FromWorker, PortableError, RunData, ToWorker, WorkerData } from './messages.ts';

const SCRIPT = new URL('./worker.ts', import.meta.url);

/** Workers hold big buffers and few objects: room for young objects would only be touched in turn. */
const YOUNG_MB = 8;

export type Receive = (worker: number, message: FromWorker) => void;

export class WorkerPool {
  private readonly workers: Worker[];
  private readonly exits: Promise<void>[];
  private receive: Receive = () => {};
  private reject: (error: unknown) => void = () => {};
  /** Walks and jobs that were sent and not answered. */
  private unanswered = 0;
  private isWhole = true;
  /** Rejects when a worker fails; never resolves. */
  readonly failure: Promise<never>;

  /** What reads the files. */
  readonly source: SourceModule | null;

  constructor(count: number, data: WorkerData) {
    this.source = data.sourceModule;
    this.failure = new Promise<never>((_resolve, reject) => {
      this.reject = (error) => {
        this.isWhole = false;
        reject(error);
      };
    });
    this.failure.catch(() => {}); // whoever waits for the run races with it; nobody may be waiting yet
    this.workers = Array.from({ length: count }, (_, i) => this.start(i, data));
    this.exits = this.workers.map(exitOf);
  }

  get size(): number {
    return this.workers.length;
  }

  /** Every worker lives and does nothing: another run may have them. */
  get isIdle(): boolean {
    return this.isWhole && this.unanswered === 0;
  }

  begin(run: RunData): void {
    this.broadcast({ kind: 'begin', run });
  }

  /** The run is over: nothing of it stays in the workers. */
  end(): void {
    this.listen(() => {});
    this.broadcast({ kind: 'end' });
  }

  /** From now on messages go to `receive`. */
  listen(receive: Receive): void {
    this.receive = receive;
  }

  send(worker: number, message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (message.kind === 'walk' || message.kind === 'jobs') this.unanswered++;
    this.workers[worker]?.postMessage(message, transfer);
  }

  broadcast(message: ToWorker): void {
    for (let worker = 0; worker < this.size; worker++) this.send(worker, message);
  }

  /** Each worker ends what it is doing, which a stopped round makes short, and then itself (see `exitOf`). */
  async close(): Promise<void> {
    this.receive = () => {};
    this.reject = () => {};
    this.isWhole = false;
    this.broadcast({ kind: 'close' });
    await Promise.all(this.exits);
  }

  private start(index: number, data: WorkerData): Worker {
    const worker = new Worker(SCRIPT, { workerData: data, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
    worker.on('message', (message: FromWorker) => {
      if (message.kind !== 'job' && message.kind !== 'pack') this.unanswered--;
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
