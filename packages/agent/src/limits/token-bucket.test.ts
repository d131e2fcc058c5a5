import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createBucket } from './token-bucket.ts';

/** A clock that moves only when somebody sleeps. */
function fakeTime() {
  let at = 0;
  return {
    ticks: () => at,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      at += ms;
    },
    pass: (ms: number) => {
      at += ms;
    },
  };
}

describe('a bandwidth limit', () => {
  it('lets everything pass where there is none', async () => {
    const time = fakeTime();
    await createBucket(time).take(1e12);
    assert.equal(time.ticks(), 0);
  });

  it('takes as long as the rate says, whatever the sizes', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 5_000_000 }), { minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1000, max: 10_000_000 }), async (pieces, rate) => {
        const time = fakeTime();
        const bucket = createBucket(time, rate);
        for (const piece of pieces) await bucket.take(piece);
        const ideal = (pieces.reduce((sum, piece) => sum + piece, 0) / rate) * 1000;
        assert.ok(time.ticks() >= ideal - 1, `${time.ticks()} ms is faster than ${ideal}`);
        assert.ok(time.ticks() <= ideal + pieces.length + 1, `${time.ticks()} ms is slower than ${ideal}`);
      }),
    );
  });

  it('is shared by all who take from it at once', async () => {
    const time = fakeTime();
    const bucket = createBucket(time, 1000);
    await Promise.all([bucket.take(1000), bucket.take(1000), bucket.take(1000)]);
    assert.ok(time.ticks() >= 2999);
  });

  it('lets only a little go at once after a rest', async () => {
    const time = fakeTime();
    const bucket = createBucket(time, 1000);
    time.pass(3_600_000);
    await bucket.take(1250);
    assert.equal(time.ticks(), 3_600_000 + 1000);
  });

  it('takes a new rate at once, also for those who wait', async () => {
    const time = fakeTime();
    const bucket = createBucket(
      {
        ...time,
        sleep: async (ms) => {
          time.pass(ms);
          bucket.setRate(null);
        },
      },
      1,
    );
    await bucket.take(1_000_000);
    assert.ok(time.ticks() <= 500);
  });

  it('stops waiting when it is told to', async () => {
    const bucket = createBucket(fakeTime(), 1);
    const reason = new Error('enough');
    await assert.rejects(bucket.take(1000, AbortSignal.abort(reason)), reason);
  });
});
