import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Goal, judge, type Reached } from './rows.ts';

const CASES: readonly (readonly [string, Goal, number, Record<string, number>, Reached])[] = [
  ['as fast as hoped', { kind: 'less-than', than: 'restic', must: 2, stretch: 3 }, 10, { restic: 30 }, 'stretch'],
  ['fast enough', { kind: 'less-than', than: 'restic', must: 2, stretch: 3 }, 10, { restic: 29 }, 'must'],
  ['too slow', { kind: 'less-than', than: 'restic', must: 2, stretch: 3 }, 10, { restic: 19 }, 'missed'],
  ['alone', { kind: 'less-than', than: 'restic', must: 2, stretch: 3 }, 10, { borg: 90 }, 'nothing to compare'],
  ['a hope only', { kind: 'less-than', than: 'borg', must: null, stretch: 1 }, 10, { borg: 9 }, 'below stretch'],
  ['small enough', { kind: 'at-most', must: 40, stretch: null }, 40, {}, 'must'],
  ['too large', { kind: 'at-most', must: 40, stretch: 20 }, 41, {}, 'missed'],
  ['much', { kind: 'at-least', must: 800, stretch: 1400 }, 1400, {}, 'stretch'],
  ['too little', { kind: 'at-least', must: 800, stretch: 1400 }, 799, {}, 'missed'],
  ['told', { kind: 'told', than: null }, 1, {}, 'told'],
];

describe('a row', () => {
  for (const [what, goal, ours, beside, reached] of CASES)
    it(`that is ${what} is "${reached}"`, () => assert.equal(judge(goal, { ours, beside }).reached, reached));

  it('says how many times less it took than who stands beside it', () => {
    const figures = { ours: 4, beside: { restic: 10, borg: 20 } };
    assert.equal(judge({ kind: 'told', than: 'restic' }, figures).ratio, 2.5);
    assert.equal(judge({ kind: 'less-than', than: 'borg', must: 1, stretch: null }, figures).ratio, 5);
  });
});
