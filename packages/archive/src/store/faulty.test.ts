import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArchiveError } from '../errors.ts';
import { blobStoreContract, hostileBlobStoreContract } from './contract.ts';
import { type Faults, FaultyStore } from './faulty.ts';
import { MemoryStore } from './memory.ts';
import { RetryingStore } from './retrying.ts';

const close = async (): Promise<void> => undefined;
const blob = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const full = new ArchiveError('store_full').code;

blobStoreContract('a faulty store without faults', async () => ({
  store: new FaultyStore(new MemoryStore(), { seed: 1 }),
  close,
}));

hostileBlobStoreContract('a store that refuses and loses answers', async (seed) => ({
  store: new FaultyStore(new MemoryStore(), { seed, refuse: 0.2, loseAnswer: 0.2 }),
  close,
}));

hostileBlobStoreContract('a store whose power is cut, read after it is back', async (seed) => {
  const inner = new MemoryStore();
  const cut = new FaultyStore(inner, { seed, cutAt: 1 + (seed % 20) });
  // Reads go to the store as it is found afterwards.
  const store = Object.assign(Object.create(cut) as FaultyStore, { get: inner.get.bind(inner) });
  return { store, close };
});

async function outcomes(faults: Faults, order: readonly string[]): Promise<Record<string, string[]>> {
  const store = new FaultyStore(new MemoryStore(), faults);
  const results: Record<string, string[]> = {};
  const told = (name: string, result: string): void => {
    results[name] = [...(results[name] ?? []), result];
  };
  for (const name of order)
    await store.put(name, blob).then(
      () => told(name, 'stored'),
      (error: ArchiveError) => told(name, error.message),
    );
  return results;
}

describe('a faulty store', () => {
  it('fails in the same way for the same seed, in whatever order names are used', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `n${i % 20}`);
    const faults = { seed: 7, refuse: 0.3, loseAnswer: 0.2, torn: 0.2 };
    const first = await outcomes(faults, names);
    assert.deepEqual(await outcomes(faults, names.toReversed()), first);
    assert.notDeepEqual(await outcomes({ ...faults, seed: 8 }, names), first);
    const all = Object.values(first).flat();
    for (const kind of [/stored/, /refused/, /answer/, /torn/])
      assert.ok(
        all.some((outcome) => kind.test(outcome)),
        `${kind}`,
      );
  });

  it('fills up', async () => {
    const store = new FaultyStore(new MemoryStore(), { seed: 1, capacity: 20 });
    await store.put('a', blob);
    await store.put('b', blob);
    await assert.rejects(store.put('c', blob), (error) => error instanceof ArchiveError && error.code === full);
    const writer = await store.writer();
    await assert.rejects(writer.write(blob), (error) => error instanceof ArchiveError && error.code === full);
    assert.equal((await store.get('a')).length, 8);
  });

  it('leaves the beginning of a torn write under its name', async () => {
    const inner = new MemoryStore();
    await assert.rejects(new FaultyStore(inner, { seed: 3, torn: 1 }).put('a', blob), /torn/);
    const left = await inner.get('a');
    assert.ok(left.length < blob.length);
    assert.deepEqual(left, blob.subarray(0, left.length));
  });

  it('reads one bit wrong where the medium decays, and leaves the blob alone', async () => {
    const inner = new MemoryStore();
    await inner.put('a', blob);
    const read = await new FaultyStore(inner, { seed: 3, decay: 1 }).get('a');
    const bits = read.reduce(
      (sum, value, i) => sum + ((value ^ (blob[i] as number)).toString(2).match(/1/g)?.length ?? 0),
      0,
    );
    assert.equal(bits, 1);
    assert.deepEqual(await inner.get('a'), blob);
  });

  it('waits where it is slow', async () => {
    const waits: string[] = [];
    const slow = async (call: string, name: string): Promise<void> => void waits.push(`${call} ${name}`);
    const store = new FaultyStore(new MemoryStore(), { seed: 1, slowRate: 1, slow });
    await store.put('a', blob);
    await store.get('a');
    assert.deepEqual(waits, ['put a', 'get a']);
  });

  it('is dead from the cut on', async () => {
    const inner = new MemoryStore();
    const store = new FaultyStore(inner, { seed: 1, cutAt: 3 });
    await store.put('a', blob);
    await store.put('b', blob);
    for (const name of ['c', 'd', 'e']) await assert.rejects(store.put(name, blob), /power/);
    await assert.rejects(store.get('a'), /power/);
    assert.deepEqual(
      (await Array.fromAsync(inner.list('d'))).length + (await Array.fromAsync(inner.list('e'))).length,
      0,
    );
    assert.deepEqual(await inner.get('b'), blob);
  });

  it('stores everything for someone who tries again', async () => {
    const inner = new MemoryStore();
    const faulty = new FaultyStore(inner, { seed: 11, refuse: 0.3, loseAnswer: 0.3, torn: 0.1 });
    const store = new RetryingStore(faulty, { attempts: 50, wait: async () => undefined });
    const names = Array.from({ length: 50 }, (_, i) => `n/${String(i).padStart(2, '0')}`);
    await Promise.all(names.map((name) => store.put(name, blob)));
    assert.deepEqual(
      (await Array.fromAsync(store.list('n/'))).map(({ name }) => name),
      names,
    );
    for (const name of names) assert.deepEqual(await inner.get(name), blob);
    assert.ok(faulty.calls > 100);
  });
});
