// Threads that check packs, so that one core reads and the others hash (docs/adr/0006).
//
//   read slice 1 -> thread hashes 1 | read slice 2 -> thread hashes 2 | read slice 3 ...
//
// Each thread has one pack at a time, one slice in hand and one being read: two slices a thread are in memory, whatever the
// packs are like. On Linux they run at the lowest priority, so that they take only what nobody else wants.

import { Worker } from 'node:worker_threads';
import type { CheckReply, CheckRequest } from './check-thread.ts';
import { checkHere, type PackChecker, type PackToCheck } from './pack-check.ts';

/** Bytes of a slice. Fewer cost more turns, more cost memory. */
export const SLICE = 4 * 1024 * 1024;
/** More would take memory, and have to wait for the disk. */
const MOST_THREADS = 4;
/** Little is kept of a pack, so that little room for what is thrown away at once is enough. */
const YOUNG_MB = 8;
/** Fewer bytes are read before the threads have started. */
const THREADS_FROM = 64 * 1024 * 1024;

/** Pure: how many threads may check packs here. Where they cannot be put behind everybody else, they leave half of the cores. */
export function checkThreads(cores: number, platform: NodeJS.Platform): number {
  return Math.min(MOST_THREADS, platform === 'linux' ? cores : Math.ceil(cores / 2));
}

export type Checkers = { readonly all: readonly PackChecker[]; close(): Promise<void> };

/** For so many bytes, with at most so many threads; 0 for this thread alone. */
export function openCheckers(bytes: number, threads: number): Checkers {
  if (threads === 0 || bytes < THREADS_FROM) return { all: [checkHere], close: async () => {} };
  const all = Array.from({ length: threads }, () => new CheckThread());
  return { all, close: async () => void (await Promise.all(all.map((thread) => thread.close()))) };
}

type Waiting = { resolve(reply: CheckReply): void; reject(error: unknown): void };

export class CheckThread implements PackChecker {
  private readonly worker = new Worker(new URL('./check-thread.ts', import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  private readonly waiting: Waiting[] = [];
  /** Why it checks nothing any more. */
  private ended: unknown = null;

  constructor() {
    this.worker.on('message', (reply: CheckReply) => this.waiting.shift()?.resolve(reply));
    this.worker.on('error', (error) => this.fail(error));
    this.worker.on('exit', () => this.fail(new Error('a thread that checks packs has ended')));
  }

  async check(pack: PackToCheck, slices: AsyncIterable<Uint8Array>): Promise<string | null> {
    this.worker.postMessage({ kind: 'begin', pack } satisfies CheckRequest);
    let before: Promise<CheckReply> | null = null;
    for await (const slice of slices) {
      if (before !== null && !isSound(await before)) return null;
      before = this.ask({ kind: 'slice', bytes: slice }, wholeBuffer(slice));
      before.catch(() => {}); // also told to whoever asks next, should reading fail meanwhile
    }
    const reply = await this.ask({ kind: 'end' }, []);
    return reply.kind === 'end' ? reply.places : null;
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private ask(request: CheckRequest, transfer: ArrayBuffer[]): Promise<CheckReply> {
    if (this.ended !== null) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.worker.postMessage(request, transfer);
    });
  }

  private fail(error: unknown): void {
    this.ended ??= error;
    for (const { reject } of this.waiting.splice(0)) reject(this.ended);
  }
}

const isSound = (reply: CheckReply): boolean => reply.kind === 'slice' && reply.isSound;

/** A slice is handed over when nothing else can lie in its memory. */
const wholeBuffer = ({ buffer, byteLength }: Uint8Array): ArrayBuffer[] =>
  buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
