import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArchiveError } from '../errors.ts';
import { DAY, MINUTE } from './duration.ts';
import { checkRetentionPolicy, DEFAULT_RETENTION, parseRetentionPolicy } from './policy.ts';

const step = (everyMinutes: unknown, untilDays: unknown): object => ({ everyMinutes, untilDays });

const WRONG: Readonly<Record<string, { readonly json: unknown; readonly names: RegExp }>> = {
  'no object': { json: 'keep all', names: /policy is no object/ },
  'a list': { json: [], names: /policy is no object/ },
  'an unknown key': { json: { steps: [step(1, null)], keep: 3 }, names: /policy\.keep is unknown/ },
  'no steps': { json: {}, names: /steps is no list/ },
  'an empty list': { json: { steps: [] }, names: /newest snapshot only/ },
  'too many steps': { json: { steps: Array.from({ length: 17 }, (_, i) => step(i + 1, i + 1)) }, names: /at most 16/ },
  'a mistyped key': { json: { steps: [{ everyMinutes: 1, untilDay: 7 }] }, names: /steps\[0\]\.untilDay is unknown/ },
  'a text': { json: { steps: [step('15', null)] }, names: /steps\[0\]\.everyMinutes is "15", not a whole number/ },
  'no interval': { json: { steps: [{ untilDays: 7 }] }, names: /steps\[0\]\.everyMinutes is undefined/ },
  'no end': { json: { steps: [{ everyMinutes: 15 }] }, names: /steps\[0\]\.untilDays is undefined/ },
  zero: { json: { steps: [step(0, null)] }, names: /everyMinutes is 0/ },
  'a fraction': { json: { steps: [step(1.5, null)] }, names: /1\.5/ },
  'what is too long': { json: { steps: [step(1, 1e9)] }, names: /untilDays is 1000000000/ },
  'a step that keeps nothing': { json: { steps: [step(7 * 1440, 1)] }, names: /steps\[0\]\.untilDays is shorter/ },
  'a step after for ever': { json: { steps: [step(15, null), step(1440, null)] }, names: /steps\[1\] follows/ },
  'a finer step after a coarse one': {
    json: { steps: [step(60, 8), step(15, null)] },
    names: /steps\[1\]\.everyMinutes is not/,
  },
  'a shorter step after a long one': {
    json: { steps: [step(15, 80), step(60, 80)] },
    names: /steps\[1\]\.untilDays is not/,
  },
};

describe('a retention policy', () => {
  it('is by default a quarter hour for a week, a day for 90, a week for a year, then 30 days', () => {
    const steps = [step(15, 7), step(1440, 90), step(7 * 1440, 365), step(30 * 1440, null)];
    assert.deepEqual(parseRetentionPolicy({ steps, deletedDays: null }), DEFAULT_RETENTION);
  });

  for (const [what, { json, names }] of Object.entries(WRONG)) {
    it(`is refused with ${what}, and says where`, () => {
      assert.throws(
        () => parseRetentionPolicy(json),
        (error) => {
          assert.ok(error instanceof ArchiveError && error.code === 'policy_invalid');
          assert.match(error.message, names);
          return true;
        },
      );
    });
  }

  it('made by a program is checked too', () => {
    for (const every of [Number.NaN, 1.5 * MINUTE, 0, -MINUTE])
      assert.throws(() => checkRetentionPolicy({ tiers: [{ every, until: null }] }), { code: 'policy_invalid' });
    const until = Number.POSITIVE_INFINITY;
    assert.throws(() => checkRetentionPolicy({ tiers: [{ every: DAY, until }] }), { code: 'policy_invalid' });
  });
});
