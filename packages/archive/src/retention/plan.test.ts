import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DAY, HOUR, MINUTE, WEEK } from './duration.ts';
import type { RetentionHold } from './holds.ts';
import { planRetention, type RetentionSnapshot } from './plan.ts';
import { DEFAULT_RETENTION, type RetentionPolicy, type RetentionTier } from './policy.ts';

const QUARTER = 15 * MINUTE;
/** A Monday. */
const START = Date.UTC(2026, 0, 5);

type Partly = Partial<RetentionSnapshot> & { readonly receivedAt: number };
let made = 0;
function snapshot(partly: Partly): RetentionSnapshot {
  made++;
  const chain = { deviceId: 'd', setId: 's', destinationId: 'x' };
  return { id: `n${made}`, sequence: made, partial: false, ...chain, ...partly };
}

const every = (step: number, from: number, to: number): RetentionSnapshot[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => snapshot({ receivedAt: from + i * step }));

const kept = (
  snapshots: readonly RetentionSnapshot[],
  now: number,
  policy: RetentionPolicy = DEFAULT_RETENTION,
  holds: readonly RetentionHold[] = [],
): RetentionSnapshot[] => {
  const ids = new Set(planRetention(snapshots, policy, now, holds).keep.map(({ id }) => id));
  return snapshots.filter(({ id }) => ids.has(id));
};

const whyOf = (snapshots: readonly RetentionSnapshot[], now: number): Record<string, string> =>
  Object.fromEntries(planRetention(snapshots, DEFAULT_RETENTION, now).keep.map(({ id, why }) => [id, why.kind]));

const bucketOf = ({ receivedAt }: RetentionSnapshot, length: number): number =>
  Math.floor((receivedAt - Date.UTC(1970, 0, 5)) / length);
const countPer = (snapshots: readonly RetentionSnapshot[], length: number): number[] => [
  ...Map.groupBy(snapshots, (one) => bucketOf(one, length))
    .values()
    .map((group) => group.length),
];

describe('retention by default', () => {
  const now = START + 800 * DAY;
  const all = every(5 * MINUTE, START, START + 20 * DAY).concat(
    every(HOUR, START + 20 * DAY + 1, now - 10 * DAY),
    every(5 * MINUTE, now - 10 * DAY + 1, now),
  );
  const left = kept(all, now);
  const aged = (from: number, to: number): RetentionSnapshot[] =>
    left.filter(({ receivedAt }) => receivedAt > now - to && receivedAt <= now - from);

  it('leaves one in each quarter hour of the last week', () => {
    assert.ok(countPer(aged(0, 7 * DAY), QUARTER).every((count) => count === 1));
    assert.equal(aged(QUARTER, 7 * DAY - QUARTER).length, 7 * 96 - 2);
  });

  it('leaves one a day up to 90 days', () => {
    assert.deepEqual(new Set(countPer(aged(8 * DAY, 90 * DAY), DAY)), new Set([1]));
    assert.equal(aged(8 * DAY, 90 * DAY).length, 82);
  });

  it('leaves one a week up to a year, and the last of each 30 days beside it', () => {
    const weekly = aged(91 * DAY + WEEK, 365 * DAY);
    const months = Math.ceil(weekly.length / 4);
    assert.ok(countPer(weekly, WEEK).every((count) => count <= 2));
    assert.ok(weekly.length <= 39 + months);
    for (let i = 1; i < weekly.length; i++) assert.ok(gap(weekly, i) <= WEEK);
  });

  it('leaves one in 30 days after that, for ever', () => {
    const old = aged(365 * DAY + WEEK, 900 * DAY);
    assert.deepEqual(new Set(countPer(old, 30 * DAY)), new Set([1]));
    assert.ok(old.length >= Math.floor((800 - 372) / 30));
    for (let i = 1; i < old.length; i++) assert.ok(gap(old, i) <= 30 * DAY + HOUR);
  });

  const gap = (list: readonly RetentionSnapshot[], i: number): number =>
    (list[i] as RetentionSnapshot).receivedAt - (list[i - 1] as RetentionSnapshot).receivedAt;
});

describe('retention', () => {
  it('counts days by UTC', () => {
    const times = [START + DAY / 2, START + DAY - 1, START + DAY];
    const [noon, late, early] = times.map((receivedAt) => snapshot({ receivedAt }));
    const daily = { tiers: [{ every: DAY, until: null }] };
    assert.ok(noon && late && early);
    assert.deepEqual(kept([noon, late, early], START + 2 * DAY, daily), [late, early]);
  });

  it('begins weeks on Monday', () => {
    const weekly = { tiers: [{ every: WEEK, until: null }] };
    const [sunday, monday] = [snapshot({ receivedAt: START - 1 }), snapshot({ receivedAt: START })];
    assert.deepEqual(kept([sunday, monday], START + WEEK, weekly), [sunday, monday]);
  });

  it('keeps the newest complete one, however old', () => {
    const policy = { tiers: [{ every: DAY, until: 7 * DAY }] };
    const [older, newest] = [snapshot({ receivedAt: START }), snapshot({ receivedAt: START + DAY })];
    const partial = snapshot({ receivedAt: START + 2 * DAY, partial: true });
    assert.deepEqual(kept([older, newest, partial], START + 9000 * DAY, policy), [newest, partial]);
  });

  it('keeps the highest of a chain that came back out of order', () => {
    const highest = snapshot({ receivedAt: START, sequence: 9 });
    const newest = snapshot({ receivedAt: START + MINUTE, sequence: 3 });
    assert.deepEqual(kept([highest, newest], START + DAY), [highest, newest]);
  });

  it('keeps chains apart', () => {
    const same = { receivedAt: START, sequence: 1 };
    const all = [
      snapshot(same),
      snapshot({ ...same, deviceId: 'd2' }),
      snapshot({ ...same, setId: 's2' }),
      snapshot({ ...same, destinationId: 'x2' }),
    ];
    assert.deepEqual(kept(all, START + DAY), all);
  });

  it('retires partial ones once a later complete one is there, not before', () => {
    const [first, second] = every(10 * MINUTE, START, START + 10 * MINUTE).map((one) => ({ ...one, partial: true }));
    assert.ok(first && second);
    assert.deepEqual(whyOf([first, second], START + DAY), { [first.id]: 'unreplaced', [second.id]: 'unreplaced' });
    const complete = snapshot({ receivedAt: START + 20 * MINUTE });
    const after = snapshot({ receivedAt: START + 30 * MINUTE, partial: true });
    const plan = planRetention([first, second, complete, after], DEFAULT_RETENTION, START + DAY);
    assert.deepEqual(plan.retire, [
      { id: first.id, reason: 'partial' },
      { id: second.id, reason: 'partial' },
    ]);
    assert.deepEqual(
      plan.keep.map(({ id }) => id),
      [complete.id, after.id],
    );
  });

  it('does not let one branch of a fork replace the partial ones of the other', () => {
    const partial = snapshot({ receivedAt: START, sequence: 7, partial: true });
    const other = snapshot({ receivedAt: START + MINUTE, sequence: 5 });
    assert.deepEqual(kept([partial, other], START + DAY), [partial, other]);
  });

  it('lets a partial one displace no complete one', () => {
    const complete = snapshot({ receivedAt: START });
    const partial = snapshot({ receivedAt: START + MINUTE, partial: true });
    const next = snapshot({ receivedAt: START + DAY });
    assert.deepEqual(kept([complete, partial, next], START + 2 * DAY), [complete, next]);
  });

  it('retires nothing that is held', () => {
    const all = every(MINUTE, START, START + 9 * MINUTE);
    const [one, other] = [all[2] as RetentionSnapshot, all[5] as RetentionSnapshot];
    const now = START + 30 * DAY;
    const newest = all.at(-1) as RetentionSnapshot;
    assert.deepEqual(kept(all, now, DEFAULT_RETENTION, [{ snapshotId: one.id }]), [one, newest]);
    const window = { from: one.receivedAt, to: other.receivedAt };
    assert.deepEqual(kept(all, now, DEFAULT_RETENTION, [window]), [...all.slice(2, 6), newest]);
    assert.deepEqual(kept(all, now, DEFAULT_RETENTION, [{ deviceId: 'another' }]), [newest]);
    assert.deepEqual(kept(all, now, DEFAULT_RETENTION, [{ deviceId: 'd', setId: 's', destinationId: 'x' }]), all);
    assert.deepEqual(kept(all, now, DEFAULT_RETENTION, [{ expires: now }]), [newest]);
    assert.deepEqual(kept(all, now, DEFAULT_RETENTION, [{ expires: now + 1 }]), all);
  });

  it('refuses snapshots without a time', () => {
    assert.throws(() => kept([snapshot({ receivedAt: Number.NaN })], START), { code: 'value_invalid' });
  });

  it('keeps everything when the clock of the server was set back', () => {
    const all = every(HOUR, START, START + DAY);
    assert.deepEqual(kept(all, START - 400 * DAY), all);
  });
});

const somePolicy: fc.Arbitrary<RetentionPolicy> = fc
  .array(
    fc.record({
      every: fc.constantFrom(15, 60, 100, 1440, 3000, 10_080, 43_200),
      until: fc.integer({ min: 1, max: 60 }),
    }),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .chain((drafts) => fc.boolean().map((forEver) => policyOf(drafts, forEver)));

function policyOf(drafts: readonly { every: number; until: number }[], forEver: boolean): RetentionPolicy {
  const steps = [...new Set(drafts.map((draft) => draft.every * MINUTE))].sort((a, b) => a - b);
  let until = 0;
  const tiers: RetentionTier[] = steps.map((step, i) => {
    until = Math.max(until + MINUTE, step) + (drafts[i]?.until ?? 1) * HOUR;
    return { every: step, until: forEver && i === steps.length - 1 ? null : until };
  });
  return { tiers };
}

/** Backups at odd times: bursts, pauses of days, two chains, partial ones, equal times. */
const someHistory: fc.Arbitrary<RetentionSnapshot[]> = fc
  .array(
    fc.record({
      pause: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 * MINUTE }), fc.integer({ min: 0, max: 5 * DAY })),
      partial: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      deviceId: fc.constantFrom('d', 'e'),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((steps) => {
    let time = START;
    return steps.map(({ pause, partial, deviceId }, i) => {
      time += pause;
      return snapshot({ id: `h${i}`, sequence: i + 1, receivedAt: time, partial, deviceId });
    });
  });

const ids = (snapshots: readonly RetentionSnapshot[]): string[] => snapshots.map(({ id }) => id);
const endOf = (history: readonly RetentionSnapshot[]): number => history.at(-1)?.receivedAt ?? START;

describe('any retention policy on any history', () => {
  it('decides about each snapshot once, in whatever order they come', () => {
    fc.assert(
      fc.property(someHistory, somePolicy, fc.nat(400), (history, policy, days) => {
        const now = endOf(history) + days * DAY;
        const plan = planRetention(history, policy, now);
        assert.deepEqual([...plan.keep, ...plan.retire].map(({ id }) => id).sort(), ids(history).sort());
        assert.deepEqual(
          new Set(ids(kept(history.toReversed(), now, policy))),
          new Set(ids(kept(history, now, policy))),
        );
      }),
    );
  });

  it('leaves the same snapshots whether it runs every day, now and then, or once', () => {
    fc.assert(
      fc.property(
        someHistory,
        somePolicy,
        fc.array(fc.nat(200), { maxLength: 30 }),
        fc.nat(60),
        (history, policy, runs, days) => {
          const end = endOf(history) + days * DAY;
          const mornings = Array.from({ length: Math.ceil((end - START) / DAY) }, (_, i) => START + i * DAY + 3 * HOUR);
          const daily = mornings.filter((run) => run < end);
          const nowAndThen = runs.map((run) => START + ((end - START) * run) / 200).sort((a, b) => a - b);
          const expected = ids(kept(history, end, policy));
          assert.deepEqual(ids(runAt(history, policy, [...daily, end])), expected);
          assert.deepEqual(ids(runAt(history, policy, [...nowAndThen, end])), expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('leaves after each dropped snapshot one of the same interval, in every tier that reaches so far back', () => {
    fc.assert(
      fc.property(someHistory, somePolicy, fc.nat(90), (history, policy, days) => {
        const now = endOf(history) + days * DAY;
        const left = kept(history, now, policy);
        const dropped = history.filter((one) => !one.partial && !left.includes(one));
        for (const one of dropped) {
          for (const tier of policy.tiers) {
            if (tier.until !== null && one.receivedAt <= now - tier.until) continue;
            const next = left.find(
              (other) => other.deviceId === one.deviceId && !other.partial && other.sequence > one.sequence,
            );
            assert.ok(next !== undefined && next.receivedAt - one.receivedAt < tier.every);
          }
        }
      }),
    );
  });

  it('keeps the newest complete one of each chain, and every partial one behind it', () => {
    fc.assert(
      fc.property(someHistory, somePolicy, fc.nat(4000), (history, policy, days) => {
        const left = new Set(kept(history, endOf(history) + days * DAY, policy));
        for (const chain of Map.groupBy(history, ({ deviceId }) => deviceId).values()) {
          const newest = chain.findLastIndex(({ partial }) => !partial);
          chain.forEach((one, i) => {
            if (i >= newest) assert.ok(left.has(one));
            else if (one.partial) assert.ok(!left.has(one));
          });
        }
      }),
    );
  });

  it('leaves at most one complete snapshot in an interval of its finest tier, per chain and coarser tier', () => {
    fc.assert(
      fc.property(someHistory, somePolicy, (history, policy) => {
        const [finest, ...coarser] = policy.tiers as [RetentionTier, ...RetentionTier[]];
        const nested = coarser.every((tier) => tier.every % finest.every === 0);
        fc.pre(nested);
        const left = kept(history, endOf(history), policy).filter(({ partial }) => !partial);
        for (const chain of Map.groupBy(left, ({ deviceId }) => deviceId).values())
          assert.ok(countPer(chain, finest.every).every((count) => count === 1));
      }),
    );
  });
});

/** What is left when retention runs at each of these times beside the backups. */
function runAt(
  history: readonly RetentionSnapshot[],
  policy: RetentionPolicy,
  times: readonly number[],
): RetentionSnapshot[] {
  let left: RetentionSnapshot[] = [];
  let from = Number.NEGATIVE_INFINITY;
  for (const now of times) {
    left = kept([...left, ...history.filter(({ receivedAt }) => receivedAt > from && receivedAt <= now)], now, policy);
    from = now;
  }
  return left;
}
