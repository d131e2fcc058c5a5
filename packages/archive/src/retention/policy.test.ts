import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ArchiveError } from '../errors.ts';
import { DAY, formatDuration, MINUTE, parseDuration } from './duration.ts';
import { checkRetentionPolicy, DEFAULT_RETENTION, formatRetentionPolicy, parseRetentionPolicy } from './policy.ts';

const WRONG: Readonly<Record<string, { readonly json: unknown; readonly names: RegExp }>> = {
  'no object': { json: 'keep all', names: /policy is no object/ },
  'a list': { json: [], names: /policy is no object/ },
  'an unknown key': { json: { tiers: [{ every: '1d' }], keep: 3 }, names: /policy\.keep is unknown/ },
  'no tiers': { json: {}, names: /tiers is no list/ },
  'an empty list': { json: { tiers: [] }, names: /newest snapshot only/ },
  'too many tiers': {
    json: { tiers: Array.from({ length: 17 }, (_, i) => ({ every: `${i + 1}d`, until: `${100 + i}d` })) },
    names: /at most 16/,
  },
  'a mistyped key': { json: { tiers: [{ every: '1d', untill: '7d' }] }, names: /tiers\[0\]\.untill is unknown/ },
  'a number': { json: { tiers: [{ every: 900_000 }] }, names: /tiers\[0\]\.every is 900000, not a duration/ },
  'an unknown unit': { json: { tiers: [{ every: '1y' }] }, names: /"1y"/ },
  'no interval': { json: { tiers: [{ until: '7d' }] }, names: /tiers\[0\]\.every/ },
  zero: { json: { tiers: [{ every: '0m' }] }, names: /"0m"/ },
  'a fraction': { json: { tiers: [{ every: '1.5h' }] }, names: /"1\.5h"/ },
  'what is too long': { json: { tiers: [{ every: '1d', until: '36501d' }] }, names: /100 years/ },
  'a tier that keeps nothing': {
    json: { tiers: [{ every: '7d', until: '1d' }] },
    names: /tiers\[0\]\.until is shorter/,
  },
  'a tier after for ever': { json: { tiers: [{ every: '1d' }, { every: '7d' }] }, names: /tiers\[1\] follows/ },
  'a finer tier after a coarse one': {
    json: { tiers: [{ every: '7d', until: '8d' }, { every: '1d' }] },
    names: /tiers\[1\]\.every is not longer/,
  },
  'a shorter tier after a long one': {
    json: {
      tiers: [
        { every: '1d', until: '80d' },
        { every: '7d', until: '80d' },
      ],
    },
    names: /tiers\[1\]\.until is not longer/,
  },
};

describe('a retention policy', () => {
  it('is by default a quarter hour for a week, a day for 90, a week for a year, then 30 days', () => {
    const json = {
      tiers: [
        { every: '15m', until: '7d' },
        { every: '1d', until: '90d' },
        { every: '7d', until: '365d' },
        { every: '30d' },
      ],
    };
    assert.deepEqual(formatRetentionPolicy(DEFAULT_RETENTION), json);
    assert.deepEqual(parseRetentionPolicy(json), DEFAULT_RETENTION);
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
    assert.throws(() => checkRetentionPolicy({ tiers: [{ every: Number.NaN, until: null }] }), {
      code: 'policy_invalid',
    });
    assert.throws(() => checkRetentionPolicy({ tiers: [{ every: 90_000, until: null }] }), { code: 'policy_invalid' });
    assert.throws(() => checkRetentionPolicy({ tiers: [{ every: DAY, until: Number.POSITIVE_INFINITY }] }), {
      code: 'policy_invalid',
    });
  });

  it('writes every duration so that it is read as the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 36_500 * 24 * 60 }), (minutes) => {
        assert.equal(parseDuration(formatDuration(minutes * MINUTE), 'x'), minutes * MINUTE);
      }),
    );
    assert.equal(parseDuration('2w', 'x'), 14 * DAY);
  });
});
