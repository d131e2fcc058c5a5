// A store that fails as real ones do: a wrapper around any BlobStore for tests of what is built on top.
//
// What happens to a call is decided by the seed, the kind of call, its name and how many such calls there were before, never
// by the order in which calls of different names meet. So a run with the same seed fails in the same way, however it is scheduled.
// With every rate 0 it behaves as the store inside. Beyond the port go only `torn` and `decay`: they do what no honest
// store does, for tests that such damage is found.

import { ArchiveError, type ArchiveErrorCode } from '../errors.ts';
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

export type Faults = {
  readonly seed: number;
  /** Share of calls that fail before they do anything, 0 to 1. */
  readonly refuse?: number;
  /** Share of calls that do their work and then fail: the answer was lost. */
  readonly loseAnswer?: number;
  /** Share of puts that leave the beginning of the blob under its name and fail. */
  readonly torn?: number;
  /** Share of reads in which one bit is wrong. */
  readonly decay?: number;
  /** Share of calls that wait for `slow` first. */
  readonly slowRate?: number;
  readonly slow?: (call: string, name: string) => Promise<void>;
  /** `store_full` once so many bytes were put. */
  readonly capacity?: number;
  /** The call of this number (from 1) happens or not, fails either way, and so do all after it: the power is cut. */
  readonly cutAt?: number;
};

type Call = 'put' | 'get' | 'stat' | 'list' | 'delete' | 'writer' | 'write' | 'commit';

export class FaultyStore implements BlobStore {
  /** How many calls there were: what `cutAt` counts. */
  calls = 0;
  private readonly inner: BlobStore;
  private readonly faults: Faults;
  private readonly seen = new Map<string, number>();
  private written = 0;

  constructor(inner: BlobStore, faults: Faults) {
    this.inner = inner;
    this.faults = faults;
  }

  put(name: string, bytes: Uint8Array | readonly Uint8Array[], options?: PutOptions): Promise<PutResult> {
    const parts = bytes instanceof Uint8Array ? [bytes] : bytes;
    return this.call('put', name, async (chance) => {
      this.reserve(name, sum(parts));
      if (chance('torn') < (this.faults.torn ?? 0)) return this.tear(name, parts, chance('where'));
      return this.inner.put(name, bytes, options);
    });
  }

  get(name: string, range?: BlobRange, signal?: AbortSignal): Promise<Uint8Array> {
    return this.call('get', name, async (chance) => {
      const bytes = await this.inner.get(name, range, signal);
      if (bytes.length > 0 && chance('decay') < (this.faults.decay ?? 0)) flipBit(bytes, chance('where'));
      return bytes;
    });
  }

  stat(name: string): Promise<BlobStat | null> {
    return this.call('stat', name, () => this.inner.stat(name));
  }

  async *list(prefix: string, options?: ListOptions): AsyncGenerator<BlobInfo> {
    await this.call('list', prefix, async () => undefined);
    for await (const info of this.inner.list(prefix, options)) {
      yield info;
      await this.call('list', info.name, async () => undefined);
    }
  }

  delete(name: string): Promise<void> {
    return this.call('delete', name, () => this.inner.delete(name));
  }

  async writer(): Promise<BlobWriter> {
    const inner = await this.call('writer', '', () => this.inner.writer());
    return {
      write: (chunk) =>
        this.call('write', '', async () => {
          this.reserve('', chunk.length);
          await inner.write(chunk);
        }),
      commit: async (name, options) => {
        try {
          return await this.call('commit', name, () => inner.commit(name, options));
        } finally {
          await inner.abort();
        }
      },
      abort: () => inner.abort(),
    };
  }

  private async call<T>(call: Call, name: string, work: (chance: (what: string) => number) => Promise<T>): Promise<T> {
    const number = ++this.calls;
    const key = `${call} ${name}`;
    const nth = (this.seen.get(key) ?? 0) + 1;
    this.seen.set(key, nth);
    const chance = (what: string): number => fraction(`${this.faults.seed} ${key} ${nth} ${what}`);
    const { refuse = 0, loseAnswer = 0, slowRate = 0, slow, cutAt = Number.POSITIVE_INFINITY } = this.faults;
    if (slow !== undefined && chance('slow') < slowRate) await slow(call, name);
    if (number > cutAt || (number === cutAt && chance('cut') < 0.5)) throw fault('the power is cut', name);
    if (chance('refuse') < refuse) throw fault('refused', name);
    const result = await work(chance);
    if (number === cutAt) throw fault('the power is cut', name);
    if (chance('loseAnswer') < loseAnswer) throw fault('the answer was lost', name);
    return result;
  }

  private reserve(name: string, length: number): void {
    if (this.written + length > (this.faults.capacity ?? Number.POSITIVE_INFINITY))
      throw fault('no space', name, 'store_full');
    this.written += length;
  }

  private async tear(name: string, parts: readonly Uint8Array[], where: number): Promise<never> {
    const whole = Buffer.concat(parts);
    await this.inner.put(name, whole.subarray(0, Math.floor(where * whole.length)));
    throw fault('torn', name);
  }
}

function fault(detail: string, name: string, code: ArchiveErrorCode = 'store_unavailable'): ArchiveError {
  return new ArchiveError(code, { name, detail });
}

const sum = (parts: readonly Uint8Array[]): number => parts.reduce((total, part) => total + part.length, 0);

function flipBit(bytes: Uint8Array, where: number): void {
  const bit = Math.floor(where * bytes.length * 8);
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
}

/** A number in [0, 1) that depends on all of `text`: FNV-1a with a final mix (Murmur3's). */
function fraction(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}
