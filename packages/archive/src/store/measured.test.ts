import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blobStoreContract } from './contract.ts';
import { MeasuredStore, type Measurement } from './measured.ts';
import { MemoryStore } from './memory.ts';

blobStoreContract('a measured store', async () => ({
  store: new MeasuredStore(new MemoryStore(), () => undefined),
  close: async () => undefined,
}));

describe('a measured store', () => {
  it('tells time, bytes and outcome of each call', async () => {
    const told: Measurement[] = [];
    let time = 0;
    const store = new MeasuredStore(
      new MemoryStore(),
      (measurement) => told.push(measurement),
      () => (time += 5),
    );
    await store.put('a', [new Uint8Array(2), new Uint8Array(3)]);
    await store.get('a', { offset: 1, length: 2 });
    await assert.rejects(store.get('b'));
    const writer = await store.writer();
    await writer.write(new Uint8Array(7));
    await writer.commit('c');
    await Array.fromAsync(store.list(''));
    await store.delete('a');
    assert.deepEqual(told, [
      { call: 'put', ms: 5, bytes: 5, outcome: 'ok' },
      { call: 'get', ms: 5, bytes: 2, outcome: 'ok' },
      { call: 'get', ms: 5, bytes: 0, outcome: 'blob_missing' },
      { call: 'commit', ms: 5, bytes: 7, outcome: 'ok' },
      { call: 'list', ms: 5, bytes: 0, outcome: 'ok' },
      { call: 'delete', ms: 5, bytes: 0, outcome: 'ok' },
    ]);
  });
});
