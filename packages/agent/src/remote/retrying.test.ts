import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { delay, type Retry, retrying } from './retrying.ts';

const fault = (fields: object = {}) => Object.assign(new Error('no'), { retryable: true, ...fields });

function harness(patienceMs = 60_000) {
  let at = 0;
  const slept: number[] = [];
  const waits: boolean[] = [];
  const retry: Retry = {
    time: {
      ticks: () => at,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted();
        slept.push(ms);
        at += ms;
      },
    },
    random: () => 0.5,
    patienceMs,
    onWait: (waiting) => waits.push(waiting !== null),
  };
  return { retry, slept, waits };
}

/** Fails `times` times, then succeeds. */
const failing = (times: number, error: unknown) => {
  let calls = 0;
  return async () => {
    if (calls++ < times) throw error;
    return calls;
  };
};

describe('another try', () => {
  it('comes later each time, and says that it waits and goes on', async () => {
    const { retry, slept, waits } = harness();
    assert.equal(await retrying(retry, failing(4, fault())), 5);
    assert.deepEqual(slept, [250, 500, 1000, 2000]);
    assert.deepEqual(waits, [true, true, true, true, false]);
  });

  it('comes after what the server asked for, not before', async () => {
    const { retry, slept } = harness();
    await retrying(retry, failing(1, fault({ retryAfterMs: 7000 })));
    assert.deepEqual(slept, [7250]);
  });

  it('is not made for what another try does not help', async () => {
    const { retry, slept } = harness();
    const error = new Error('permanent');
    await assert.rejects(retrying(retry, failing(9, error)), error);
    assert.deepEqual(slept, []);
  });

  it('is given up when the patience is over', async () => {
    const { retry, slept } = harness(10_000);
    const error = fault();
    await assert.rejects(retrying(retry, failing(1000, error)), error);
    assert.ok(slept.reduce((sum, ms) => sum + ms, 0) <= 10_000);
  });

  it('is given up as soon when the clock is set back a day meanwhile', async () => {
    const { retry, slept } = harness(10_000);
    let clock = Date.now();
    const time = { ...retry.time, now: () => (clock -= 86_400_000) };
    const error = fault();
    await assert.rejects(retrying({ ...retry, time }, failing(100, error)), error);
    assert.ok(slept.length < 10, `${slept}`);
  });

  it('is given up at once when the server asks for more than the patience, however much', async () => {
    for (const retryAfterMs of [3_600_000, 1e300, Number.POSITIVE_INFINITY]) {
      const { retry, slept } = harness(600_000);
      const error = fault({ retryAfterMs });
      await assert.rejects(retrying(retry, failing(1000, error)), error);
      assert.deepEqual(slept, []);
    }
  });

  it('is not made after a stop', async () => {
    const { retry } = harness();
    const controller = new AbortController();
    const reason = new Error('stop');
    const stopping = async () => {
      controller.abort(reason);
      throw fault();
    };
    await assert.rejects(retrying(retry, stopping, controller.signal), reason);
  });

  it('is spread over the whole span, so that a fleet does not come at once', () => {
    assert.equal(
      delay(0, () => 0, undefined),
      0,
    );
    assert.equal(
      delay(3, () => 0.25, undefined),
      1000,
    );
    assert.equal(
      delay(50, () => 1, undefined),
      60_000,
    );
  });
});
