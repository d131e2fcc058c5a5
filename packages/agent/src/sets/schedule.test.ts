import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { newSet } from './backup-set.ts';
import { type Hint, lastTime, nextRun, nextTime, retryDelay, selectionOf } from './schedule.ts';

const ZONE = 'Europe/Berlin';
const at = (text: string) => Temporal.PlainDateTime.from(text).toZonedDateTime(ZONE).epochMilliseconds;
const set = newSet('00'.repeat(16), 'home', ['~']);
const run = (startedAt: string | null, walkedAt: string | null) => ({
  startedAt: startedAt === null ? null : at(startedAt),
  walkedAt: walkedAt === null ? null : at(walkedAt),
  selection: selectionOf(set),
  failure: null,
});
const next = (record: ReturnType<typeof run>, hint: Hint, now: string) => nextRun(set, record, hint, at(now), ZONE);

describe('the schedule of a set', () => {
  it('walks everything at once when it never did', () => {
    const due = next(run(null, null), 'unknown', '2026-03-01T10:00');
    assert.deepEqual(
      { at: due.at, walk: due.walk, because: due.because },
      {
        at: at('2026-03-01T10:00'),
        walk: 'everything',
        because: 'first',
      },
    );
  });

  it('walks everything at once when the selection is another', () => {
    const record = { ...run('2026-03-01T10:00', '2026-03-01T10:00'), selection: 'another' };
    const due = nextRun(set, record, 'unchanged', at('2026-03-01T10:05'), ZONE);
    assert.deepEqual([due.at, due.walk], [at('2026-03-01T10:05'), 'everything']);
  });

  it('makes a version a quarter of an hour after the last run began, of what the watcher named', () => {
    const due = next(run('2026-03-01T10:00', '2026-03-01T03:00'), 'changed', '2026-03-01T10:05');
    assert.equal(due.at, at('2026-03-01T10:15'));
    assert.equal(due.walk, 'changed');
  });

  it('walks everything each time while there is no watcher to rely on', () => {
    const due = next(run('2026-03-01T10:00', '2026-03-01T10:00'), 'unknown', '2026-03-01T10:05');
    assert.equal(due.at, at('2026-03-01T10:15'));
    assert.equal(due.walk, 'everything');
  });

  it('rests until three in the morning when nothing changed', () => {
    const due = next(run('2026-03-01T10:00', '2026-03-01T10:00'), 'unchanged', '2026-03-01T10:20');
    assert.equal(due.at, at('2026-03-02T03:00'));
    assert.equal(due.walk, 'everything');
  });

  it('makes up for a daily walk that the device slept through, as soon as it wakes', () => {
    const due = next(run('2026-03-01T22:00', '2026-03-01T03:00'), 'unchanged', '2026-03-02T08:30');
    assert.ok(due.at <= at('2026-03-02T08:30'));
    assert.equal(due.walk, 'everything');
    assert.equal(due.because, 'daily');
  });

  it('waits longer after each failure, at most the interval', () => {
    const now = at('2026-03-01T10:00');
    const record = {
      ...run('2026-03-01T09:00', '2026-03-01T03:00'),
      failure: { code: 'x', message: '', at: now, count: 3 },
    };
    assert.equal(nextRun(set, record, 'changed', now, ZONE).at, now + 4 * 60_000);
    assert.equal(retryDelay(1, 15), 60_000);
    assert.equal(retryDelay(50, 15), 15 * 60_000);
    assert.equal(retryDelay(50, 60), 60 * 60_000);
  });

  it('is not put off by a clock that was wrong', () => {
    const due = next(run('2027-01-01T00:00', '2026-03-01T03:00'), 'changed', '2026-03-01T10:00');
    assert.equal(due.at, at('2026-03-01T10:15'));
  });

  it('keeps to the wall clock across the changes of summer time', () => {
    assert.equal(nextTime('03:00', at('2026-03-28T12:00'), ZONE), at('2026-03-29T03:00'));
    assert.equal(nextTime('02:30', at('2026-03-28T12:00'), ZONE), at('2026-03-29T03:30'), 'skipped in spring');
    const autumn = nextTime('02:30', at('2026-10-24T12:00'), ZONE);
    assert.equal(new Date(autumn).toISOString(), '2026-10-25T00:30:00.000Z', 'the first of two in autumn');
  });

  it('has its last time up to now and its next one after it, less than 26 hours apart', () => {
    const times = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }));
    const moments = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2035, 0) });
    fc.assert(
      fc.property(
        times,
        moments,
        fc.constantFrom(ZONE, 'UTC', 'America/New_York', 'Australia/Lord_Howe'),
        ([h, m], now, zone) => {
          const time = `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`;
          const last = lastTime(time, now, zone);
          const following = nextTime(time, now, zone);
          assert.ok(last <= now && now < following);
          assert.ok(following - last <= 26 * 3_600_000);
        },
      ),
    );
  });
});
