import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArchiveError, type ArchiveErrorCode } from '../errors.ts';
import { blobStoreContract } from './contract.ts';
import { MemoryStore } from './memory.ts';
import { RetryingStore } from './retrying.ts';

blobStoreContract('a retrying store', async () => ({
  store: new RetryingStore(new MemoryStore()),
  close: async () => undefined,
}));

/** Fails the first `times` calls of `stat`. */
class Flaky extends MemoryStore {
  left: number;
  readonly code: ArchiveErrorCode;
  constructor(times: number, code: ArchiveErrorCode = 'store_unavailable') {
    super();
    this.left = times;
    this.code = code;
  }
  override async stat(name: string): ReturnType<MemoryStore['stat']> {
    if (this.left-- > 0) throw new ArchiveError(this.code);
    return super.stat(name);
  }
}

function retrying(inner: MemoryStore, random: number, waits: number[]): RetryingStore {
  const wait = async (ms: number): Promise<void> => void waits.push(ms);
  return new RetryingStore(inner, { attempts: 6, base: 100, cap: 1000, random: () => random, wait });
}

describe('a retrying store', () => {
  it('waits a random share of a bound that doubles up to its cap', async () => {
    const waits: number[] = [];
    assert.equal(await retrying(new Flaky(5), 0.5, waits).stat('a'), null);
    assert.deepEqual(waits, [50, 100, 200, 400, 500]);
  });

  it('gives up after its last attempt, with the error', async () => {
    const waits: number[] = [];
    await assert.rejects(retrying(new Flaky(6), 1, waits).stat('a'), { code: 'store_unavailable' });
    assert.equal(waits.length, 5);
  });

  for (const code of ['store_denied', 'store_full', 'blob_missing'] as const) {
    it(`does not repeat ${code}`, async () => {
      const waits: number[] = [];
      await assert.rejects(retrying(new Flaky(1, code), 1, waits).stat('a'), { code });
      assert.deepEqual(waits, []);
    });
  }

  it('tells of each retry', async () => {
    const told: string[] = [];
    const store = new RetryingStore(new Flaky(2), {
      random: () => 0,
      wait: async () => undefined,
      onRetry: ({ error, attempt }) => told.push(`${error.code} ${attempt}`),
    });
    await store.stat('a');
    assert.deepEqual(told, ['store_unavailable 1', 'store_unavailable 2']);
  });

  it('goes on behind the last name when a listing breaks off', async () => {
    const inner = new MemoryStore();
    for (const name of ['a', 'b', 'c', 'd']) await inner.put(name, new Uint8Array(1));
    const list = inner.list.bind(inner);
    inner.list = async function* (prefix, options) {
      let given = 0;
      for await (const info of list(prefix, options)) {
        if (given++ === 1) throw new ArchiveError('store_unavailable');
        yield info;
      }
    };
    const names = await Array.fromAsync(retrying(inner, 0, []).list(''), ({ name }) => name);
    assert.deepEqual(names, ['a', 'b', 'c', 'd']);
  });

  it('stops waiting when it is aborted', async () => {
    const controller = new AbortController();
    const inner = new MemoryStore();
    inner.get = async () => Promise.reject(new ArchiveError('store_unavailable'));
    const store = new RetryingStore(inner, {
      base: 1e9,
      cap: 1e9,
      random: () => 1,
      onRetry: () => controller.abort('enough'),
    });
    await assert.rejects(store.get('a', undefined, controller.signal), (reason) => reason === 'enough');
  });
});
