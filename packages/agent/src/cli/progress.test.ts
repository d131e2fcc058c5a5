import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { progressOf } from './check-progress.ts';
import { createPace, type ProgressState, describe as shown } from './progress.ts';

const MB = 1_000_000;

describe('progress', () => {
  /** Each second one state, at a clock of its own. */
  function watch(states: readonly Partial<ProgressState>[]) {
    let now = 0;
    const pace = createPace(() => now);
    return states.map((state) => {
      const full = {
        bytesDone: 0,
        bytesTotal: 100 * MB,
        itemsDone: 1,
        itemsTotal: 2,
        unit: 'files',
        ...state,
      } as const;
      const measured = pace(full);
      now += 1000;
      return { ...measured, text: shown(full, measured) };
    });
  }

  it('tells no time left from the first instants, and the right one when the pace is known', () => {
    const begins = [0, 0, 0, 0.000_1, 0.2, 0.4, 0.6, 0.8, 1, 1.2].map((share) => ({ bytesDone: share * MB }));
    const told = watch(begins).map(({ secondsLeft }) => secondsLeft);
    assert.deepEqual(told.slice(0, 8), Array(8).fill(null));
    assert.equal(told.at(-1), 494, 'what is left, at 0.2 MB a second');
    const jump = [{}, ...[6, 6.1, 6.2].map((share) => ({ bytesDone: share * MB }))];
    assert.equal(watch(jump).at(-1)?.secondsLeft, null, 'what came at once tells no pace');
    assert.equal(watch([{}, { bytesDone: 20 * MB }, { bytesDone: 40 * MB }]).at(-1)?.secondsLeft, 3, 'a short one');
  });

  it('of a check is told by what the newest snapshots hold, and not at all once there is more', () => {
    const met = { structure: 0, content: 0, contentRead: 0, contentBytes: 0, bytes: 0 };
    const structure = { kind: 'structure', directories: 1000 } as const;
    const walk = [0, 100, 200, 300].map((done) => progressOf({ ...met, structure: done, bytes: done }, structure));
    const last = watch(walk).at(-1);
    assert.equal(last?.secondsLeft, 7);
    assert.match(last?.text ?? '', /^30%, 300 B, 300 of 1,000 chunks/);
    const content = { kind: 'content', bytes: 100 * MB } as const;
    const read = [0, 20, 40].map((done) => progressOf({ ...met, contentBytes: done * MB }, content));
    assert.match(watch(read).at(-1)?.text ?? '', /^40%, 38 MiB of 95 MiB.* 3s left$/);
    const more = watch([progressOf({ ...met, contentBytes: 101 * MB }, content)]);
    assert.match(more[0]?.text ?? '', /^96 MiB, 0 chunks/);
  });

  it('counts what is read and still has to be sent as not done', () => {
    const all = { bytesDone: 100 * MB };
    const sending = Array.from({ length: 90 }, (_, second) => ({ ...all, bytesWaiting: (95 - second) * MB }));
    const last = watch(sending).at(-1);
    assert.equal(last?.secondsLeft, 6, 'a megabyte a second, six to go');
    assert.match(last?.text ?? '', /^94%, 90 MiB of 95 MiB/);
    assert.equal(watch(Array(90).fill({ ...all, bytesWaiting: 60 * MB })).at(-1)?.secondsLeft, null, 'nothing moves');
  });
});
