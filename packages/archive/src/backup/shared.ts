/**
 * The memory that the main thread and its workers share during one round of jobs: the plan, which is read-only, and the controls.
 *
 * ```
 * plan:     jobs, items, the bytes of paths and names
 * controls: next job, frontier of decisions, stop, early close of packs, permits for packs, progress
 * ```
 *
 * Jobs are taken in order by one counter. Decisions about duplicates are made in the order of the jobs too: whoever holds job k
 * decides when all below k have; so what is stored never depends on which thread was faster (format §3.4). It cannot deadlock: a job
 * below k is always in the hands of a thread that goes on.
 */
import { release } from '../crypto-node/release.ts';
import { joinPath } from '../source/paths.ts';
import { ByteWriter } from './byte-writer.ts';

export const JOB = { batch: 0, large: 1 } as const;
export type JobKind = (typeof JOB)[keyof typeof JOB];

/** One entry to be looked at: a file to be read, or another one whose attributes or target are wanted. */
export type Item = { readonly path: Buffer; readonly type: number; readonly size: number };

const JOB_WORDS = 3;
const ITEM_WORDS = 6;
/** A shared buffer with the lengths that slice it. */
export type PlanMemory = { readonly memory: SharedArrayBuffer; readonly jobs: number; readonly items: number };

/** Collects jobs in walk order. */
export class PlanWriter {
  private readonly jobs: number[] = [];
  private readonly items = new ByteWriter(1 << 16);
  private readonly bytes = new ByteWriter(1 << 16);
  private directoryAt = 0;
  private directoryLength = 0;
  itemCount = 0;

  /** The items that follow are entries of this directory. */
  directory(path: Buffer): void {
    this.directoryAt = this.bytes.length;
    this.directoryLength = path.length;
    this.bytes.bytes(path);
  }

  job(kind: JobKind): void {
    this.jobs.push(kind, this.itemCount, 0);
  }

  /** Adds to the last job and returns the item's number. */
  item(name: Buffer, type: number, size: number): number {
    this.items.u32(this.directoryAt);
    this.items.u32(this.directoryLength);
    this.items.u32(this.bytes.length);
    this.items.u32(name.length | (type << 16));
    this.items.f64(size);
    this.bytes.bytes(name);
    this.jobs[this.jobs.length - 1] = (this.jobs.at(-1) as number) + 1;
    return this.itemCount++;
  }

  get jobCount(): number {
    return this.jobs.length / JOB_WORDS;
  }

  /** The writer must not be used afterwards. */
  finish(): PlanMemory {
    const items = this.items.finish();
    const bytes = this.bytes.finish();
    const jobs = Uint32Array.from(this.jobs);
    const memory = new SharedArrayBuffer(alignUp(jobs.byteLength) + items.length + bytes.length);
    new Uint32Array(memory, 0, jobs.length).set(jobs);
    const target = Buffer.from(memory);
    target.set(items, alignUp(jobs.byteLength));
    target.set(bytes, alignUp(jobs.byteLength) + items.length);
    release(items);
    release(bytes);
    return { memory, jobs: this.jobCount, items: this.itemCount };
  }
}

const alignUp = (n: number): number => (n + 7) & ~7;

export class Plan {
  readonly jobCount: number;
  private readonly jobs: Uint32Array;
  private readonly items: Uint32Array;
  private readonly sizes: Float64Array;
  private readonly bytes: Buffer;

  constructor({ memory, jobs, items }: PlanMemory) {
    this.jobCount = jobs;
    this.jobs = new Uint32Array(memory, 0, jobs * JOB_WORDS);
    const at = alignUp(jobs * JOB_WORDS * 4);
    this.items = new Uint32Array(memory, at, items * ITEM_WORDS);
    this.sizes = new Float64Array(memory, at, items * (ITEM_WORDS / 2));
    this.bytes = Buffer.from(memory, at + items * ITEM_WORDS * 4);
  }

  job(number: number): { kind: JobKind; first: number; count: number } {
    const at = number * JOB_WORDS;
    const { jobs } = this;
    return { kind: jobs[at] as JobKind, first: jobs[at + 1] as number, count: jobs[at + 2] as number };
  }

  item(number: number): Item {
    const at = number * ITEM_WORDS;
    const { items, bytes } = this;
    const directoryAt = items[at] as number;
    const nameAt = items[at + 2] as number;
    const packed = items[at + 3] as number;
    const directory = bytes.subarray(directoryAt, directoryAt + (items[at + 1] as number));
    const name = bytes.subarray(nameAt, nameAt + (packed & 0xffff));
    const size = this.sizes[number * (ITEM_WORDS / 2) + 2] as number;
    return { path: joinPath(directory, name), type: packed >>> 16, size };
  }
}

const WORD = { next: 0, frontier: 1, stop: 2, close: 3, permits: 4, reserved: 5, files: 6, bytes: 8 } as const;
const DECIDED_AT = 16;
/** A waiting thread looks at `stop` at least this often, ms. */
const WAKE_UP = 200;

/** Thrown inside a worker when the run is stopped. */
export class Stopped extends Error {}

export class Controls {
  readonly memory: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly longs: BigInt64Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.words = new Int32Array(memory);
    this.longs = new BigInt64Array(memory, 0, DECIDED_AT / 2);
  }

  static create(jobs: number, permits: number): Controls {
    const controls = new Controls(new SharedArrayBuffer(alignUp(4 * (DECIDED_AT + jobs))));
    Atomics.store(controls.words, WORD.permits, permits);
    return controls;
  }

  takeJob(): number {
    return Atomics.add(this.words, WORD.next, 1);
  }

  /** Waits until all jobs below this one have decided. */
  awaitTurn(job: number): void {
    for (;;) {
      const frontier = Atomics.load(this.words, WORD.frontier);
      if (frontier >= job) return;
      this.checkStop();
      Atomics.wait(this.words, WORD.frontier, frontier, WAKE_UP);
    }
  }

  /** This job has decided, or has nothing to decide. */
  passTurn(job: number): void {
    const { words } = this;
    Atomics.store(words, DECIDED_AT + job, 1);
    for (;;) {
      const frontier = Atomics.load(words, WORD.frontier);
      if (DECIDED_AT + frontier >= words.length || Atomics.load(words, DECIDED_AT + frontier) === 0) break;
      Atomics.compareExchange(words, WORD.frontier, frontier, frontier + 1);
    }
    Atomics.notify(words, WORD.frontier);
  }

  /** Back-pressure: one permit for each pack that is being filled or sent. */
  takePermit(): void {
    for (;;) {
      const free = Atomics.load(this.words, WORD.permits);
      if (free > 0 && Atomics.compareExchange(this.words, WORD.permits, free, free - 1) === free) return;
      if (free > 0) continue;
      this.checkStop();
      Atomics.wait(this.words, WORD.permits, free, WAKE_UP);
    }
  }

  givePermit(): void {
    Atomics.add(this.words, WORD.permits, 1);
    Atomics.notify(this.words, WORD.permits, 1);
  }

  /** Asks all workers to send the packs they are filling. */
  closePacks(): void {
    Atomics.add(this.words, WORD.close, 1);
  }

  get closeRequests(): number {
    return Atomics.load(this.words, WORD.close);
  }

  stop(): void {
    Atomics.store(this.words, WORD.stop, 1);
    Atomics.notify(this.words, WORD.frontier);
    Atomics.notify(this.words, WORD.permits);
    Atomics.notify(this.words, WORD.stop);
  }

  checkStop(): void {
    if (Atomics.load(this.words, WORD.stop) === 1) throw new Stopped();
  }

  /** Sleeps, but wakes up to stop. */
  pause(ms: number): void {
    if (ms > 0) Atomics.wait(this.words, WORD.stop, 0, ms);
    this.checkStop();
  }

  addProgress(files: number, bytes: number): void {
    if (files > 0) Atomics.add(this.longs, WORD.files / 2, BigInt(files));
    if (bytes > 0) Atomics.add(this.longs, WORD.bytes / 2, BigInt(bytes));
  }

  get progress(): { files: number; bytes: number } {
    return {
      files: Number(Atomics.load(this.longs, WORD.files / 2)),
      bytes: Number(Atomics.load(this.longs, WORD.bytes / 2)),
    };
  }
}
