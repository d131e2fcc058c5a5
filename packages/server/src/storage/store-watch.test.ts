import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { FaultyStore } from '@holdfast/archive/store/faulty.ts';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import { SqliteFailure } from './index/sqlite-dialect.ts';
import { StoreWatch } from './store-watch.ts';
import { testPoint } from './testing/test-point.ts';

/** A store point on a disk whose size, and whether it is mounted, the test decides. */
async function watchedPoint() {
  const disk = { seed: 1, capacity: 1000, refuse: 0 };
  const watch = new StoreWatch();
  const point = await testPoint({ blobs: watch.blobs(new FaultyStore(new MemoryStore(), disk)) });
  const send = async (name: string, size: number) => {
    const writer = await point.blobs.writer();
    try {
      await writer.write(new Uint8Array(size));
      await writer.commit(name);
    } finally {
      await writer.abort();
    }
  };
  return { disk, watch, point, send };
}

const SQLITE_FULL = 13;

const refusedAs = (code: string) => (error: unknown) => error instanceof ArchiveError && error.code === code;

describe('a store point that is watched', () => {
  test('is full from the first write that does not fit until as much was written', async () => {
    const { disk, watch, send } = await watchedPoint();
    await send('a', 400);
    assert.deepEqual(watch.warnings, []);
    await assert.rejects(send('b', 700), refusedAs('store_full'));
    await send('small', 10);
    assert.deepEqual(watch.warnings, ['storage_full'], 'less than what did not fit proves nothing');
    disk.capacity = 10_000;
    await send('b', 700);
    assert.deepEqual(watch.warnings, []);
  });

  test('is found free again by a probe, though no device writes, and the probe leaves nothing', async () => {
    const { disk, watch, point, send } = await watchedPoint();
    await assert.rejects(point.blobs.put('a', new Uint8Array(2000)), refusedAs('store_full'));
    await watch.probe(point);
    assert.deepEqual(watch.warnings, ['storage_full']);
    disk.capacity = 100_000;
    await watch.probe(point);
    assert.deepEqual(watch.warnings, []);
    await send('b', 10);
    assert.deepEqual(
      (await Array.fromAsync(point.blobs.list(''))).map(({ name }) => name),
      ['b'],
    );
  });

  test('is found unwritable by a probe before any device is refused, and writable again', async () => {
    const { disk, watch, point } = await watchedPoint();
    disk.refuse = 1;
    await watch.probe(point);
    assert.deepEqual(watch.warnings, ['storage_unwritable']);
    disk.refuse = 0;
    await watch.probe(point);
    assert.deepEqual(watch.warnings, []);
  });

  test('takes a full index for a full disk', async () => {
    const full = new SqliteFailure(new Error('database or disk is full'), SQLITE_FULL, 'insert');
    const { watch, point } = await watchedPoint();
    const state = { isFull: true };
    const index = watch.index({
      ...point.index,
      write: (work) => (state.isFull ? Promise.reject(full) : point.index.write(work)),
    });
    await assert.rejects(index.write(async () => {}));
    assert.deepEqual(watch.warnings, ['storage_full']);
    await watch.probe({ ...point, index });
    assert.deepEqual(watch.warnings, ['storage_full']);
    state.isFull = false;
    await watch.probe({ ...point, index });
    assert.deepEqual(watch.warnings, []);
  });
});
