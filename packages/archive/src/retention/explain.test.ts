import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DAY, HOUR, MINUTE } from './duration.ts';
import { type RetiredSnapshot, unexplainedTombstones } from './explain.ts';
import { planRetention, type RetentionSnapshot } from './plan.ts';
import { DEFAULT_RETENTION } from './policy.ts';

const START = Date.UTC(2026, 0, 5);
const KEPT_TOMBSTONES = 30 * DAY;

function historyOf(pauses: readonly number[]): RetentionSnapshot[] {
  let receivedAt = START;
  return pauses.map((pause, i) => {
    receivedAt += pause * MINUTE;
    const chain = { deviceId: 'd', setId: 's', destinationId: 'x' };
    return { id: `n${i}`, ...chain, sequence: i + 1, receivedAt, partial: i % 5 === 0 };
  });
}

/** A server that retires at each of the times and keeps tombstones for 30 days. */
function serve(history: readonly RetentionSnapshot[], times: readonly number[]) {
  let present: RetentionSnapshot[] = [];
  let tombstones: RetiredSnapshot[] = [];
  let from = Number.NEGATIVE_INFINITY;
  for (const now of times) {
    present.push(...history.filter(({ receivedAt }) => receivedAt > from && receivedAt <= now));
    const reasons = new Map(
      planRetention(present, DEFAULT_RETENTION, now).retire.map(({ id, reason }) => [id, reason]),
    );
    tombstones = tombstones.filter(({ retiredAt }) => retiredAt > now - KEPT_TOMBSTONES);
    for (const one of present) {
      const reason = reasons.get(one.id);
      if (reason !== undefined) tombstones.push({ ...one, reason, retiredAt: now });
    }
    present = present.filter(({ id }) => !reasons.has(id));
    from = now;
  }
  return { present, tombstones };
}

const pauses = fc.array(fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 4000 })), {
  minLength: 2,
  maxLength: 80,
});

describe('tombstones', () => {
  it('of an honest server are all explained, whenever it ran', () => {
    fc.assert(
      fc.property(pauses, fc.integer({ min: 5, max: 72 }), (gaps, hours) => {
        const history = historyOf(gaps);
        const end = (history.at(-1) as RetentionSnapshot).receivedAt + DAY;
        const times = Array.from(
          { length: Math.ceil((end - START) / (hours * HOUR)) },
          (_, i) => START + i * hours * HOUR,
        );
        const { present, tombstones } = serve(history, times);
        assert.deepEqual(unexplainedTombstones(present, tombstones, DEFAULT_RETENTION), []);
      }),
    );
  });

  it('of snapshots that the policy keeps are found', () => {
    const history = historyOf(Array.from({ length: 40 }, () => 60));
    const { present, tombstones } = serve(history, [START + 2 * DAY]);
    const [taken, ...rest] = present as [RetentionSnapshot, ...RetentionSnapshot[]];
    const lie = { ...taken, reason: 'retention', retiredAt: START + 2 * DAY };
    assert.deepEqual(unexplainedTombstones(rest, [...tombstones, lie], DEFAULT_RETENTION), [lie]);
  });

  it('of a purge or with a wrong reason are found', () => {
    const history = historyOf(Array.from({ length: 40 }, () => 5));
    const { present, tombstones } = serve(history, [START + 2 * DAY]);
    const [one, ...rest] = tombstones as [RetiredSnapshot, ...RetiredSnapshot[]];
    for (const reason of ['purge', one.reason === 'partial' ? 'retention' : 'partial']) {
      const lie = { ...one, reason };
      assert.deepEqual(unexplainedTombstones(present, [...rest, lie], DEFAULT_RETENTION), [lie]);
    }
  });
});
