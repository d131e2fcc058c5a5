import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { keptToPace, LEAST_PACE } from './pace.ts';

/** A source whose every chunk takes `ms`, by timers that do not really wait. Ends when it is found slow. */
function line(t: TestContext, ms: number, size: number, pauseMs = 0) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const state = { brought: 0, isSlow: false };
  async function* source(): AsyncGenerator<Uint8Array> {
    while (!state.isSlow && state.brought < 10_000_000) {
      t.mock.timers.tick(ms);
      state.brought += size;
      yield new Uint8Array(size);
    }
  }
  const read = async () => {
    const onSlow = () => {
      state.isSlow = true;
    };
    for await (const _ of keptToPace(source(), onSlow, LEAST_PACE, Date.now)) t.mock.timers.tick(pauseMs);
  };
  return { state, read };
}

test('a line that brings a byte now and then is left after two minutes', async (t) => {
  const { state, read } = line(t, 1000, 1);
  await read();
  assert.equal(state.isSlow, true);
  assert.ok(state.brought <= 121);
});

test('a line that is a little too slow is left, however long it worked', async (t) => {
  const { state, read } = line(t, 1000, 499);
  await read();
  assert.equal(state.isSlow, true);
});

test('an honest slow line that others share is not', async (t) => {
  const { state, read } = line(t, 24_000, 65_536);
  await read();
  assert.equal(state.isSlow, false);
});

test('what the reader does meanwhile is not the fault of the line', async (t) => {
  const { state, read } = line(t, 1000, 16_000, 500_000);
  await read();
  assert.equal(state.isSlow, false);
});

test('a line that brings nothing is left', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  let end = (): void => {};
  async function* silent(): AsyncGenerator<Uint8Array> {
    await new Promise<void>((resolve) => {
      end = resolve;
    });
  }
  const read = Array.fromAsync(keptToPace(silent(), () => end(), LEAST_PACE, Date.now));
  t.mock.timers.tick(LEAST_PACE.ms);
  assert.deepEqual(await read, []);
});
