import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { choose, type Wish } from './choose.ts';
import { ROW_IDS } from './rows.ts';
import type { Work } from './work.ts';
import { WORKS } from './works/registry.ts';

const work = (name: string, of: Partial<Work>): Work => ({
  name,
  rows: [],
  needsTree: false,
  repeats: false,
  onlyFor: null,
  run: async () => [],
  ...of,
});
const works = [
  work('a', { rows: ['first-disk', 'no-change'], needsTree: true }),
  work('b', { rows: ['verify'] }),
  work('c', { rows: ['agent-memory'], onlyFor: 'million' }),
];
const chosen = (wish: Partial<Wish>) => {
  const nothing: Wish = { only: [], all: false, million: false, growth: false, hasTree: true };
  const { works: found, rows, refused } = choose(works, { ...nothing, ...wish });
  return { works: found.map(({ name }) => name), rows: [...rows], refused };
};

describe('what is done', () => {
  it('is all but what takes long, unless it is asked for', () => {
    assert.deepEqual(chosen({}).works, ['a', 'b']);
    assert.deepEqual(chosen({ million: true }).works, ['a', 'b', 'c']);
    assert.deepEqual(chosen({ all: true }).works, ['a', 'b', 'c']);
  });

  it('is what is named, by work or by row', () => {
    assert.deepEqual(chosen({ only: ['a'] }).rows, ['first-disk', 'no-change']);
    assert.deepEqual(chosen({ only: ['no-change', 'c'] }).rows, ['no-change', 'agent-memory']);
  });

  it('leaves out what needs a tree, and what is not there, and says so', () => {
    assert.deepEqual(chosen({ hasTree: false }), { works: ['b'], rows: ['verify'], refused: ['a needs --tree DIR'] });
    assert.match(chosen({ only: ['fly'] }).refused.join(), /no row or work "fly"/);
  });

  it('can be every row of the table, each by one work', () => {
    assert.deepEqual(WORKS.flatMap(({ rows }) => rows).sort(), ROW_IDS.toSorted());
  });
});
