import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { padmeLength } from './padme.ts';
import { goldenJson } from './testing/golden.ts';

describe('Padmé padding (format §3.2)', () => {
  it('gives the lengths that the second encoder gives', () => {
    for (const [length, padded] of goldenJson<[number, number][]>('padme.json'))
      assert.equal(padmeLength(length), padded);
  });

  it('never shortens, never falls, adds at most 12 %, and a padded length stays', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (length) => {
        const padded = padmeLength(length);
        assert.ok(padded >= length && padded <= length * 1.12);
        assert.equal(padmeLength(padded), padded);
        assert.ok(padmeLength(length + 1) >= padded);
      }),
    );
  });
});
