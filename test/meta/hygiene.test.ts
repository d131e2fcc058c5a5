import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hygieneProblems } from './hygiene.ts';
import { readFiles } from './source-files.ts';

const lines = (count: number): string => 'let a;\n'.repeat(count);

const RIGHT: readonly (readonly [string, string, string])[] = [
  ['a file of 400 lines', 'packages/archive/src/a.ts', lines(400)],
  ['a test of 600 lines', 'packages/archive/src/a.test.ts', lines(600)],
  ['a skipped test with its reason', 'test/e2e/a.test.ts', `it('a', { skip: 'needs root' }, () => {})`],
  ['a test skipped on a condition', 'test/e2e/a.test.ts', `it('a', { skip: isRoot && 'needs a user' }, () => {})`],
  ['a reason given while it runs', 'test/e2e/a.test.ts', `it('a', (t) => t.skip('needs root'))`],
  ['a word that only contains a mark', 'packages/archive/src/a.ts', `const XXXL = 'hackathon';`],
  ['another thing called skip', 'test/e2e/a.test.ts', 'cursor.skip(); list.only(3)'],
];

const WRONG: readonly (readonly [string, string, string])[] = [
  ['a dumping ground', 'packages/agent/src/utils.ts', ''],
  ['the test of a dumping ground', 'packages/agent/src/helpers.test.ts', ''],
  ['a folder as dumping ground', 'packages/agent/src/common/a.ts', ''],
  ['a file of 401 lines', 'packages/archive/src/a.ts', lines(401)],
  ['a test of 601 lines', 'packages/archive/src/a.test.ts', lines(601)],
  ['unfinished work', 'packages/archive/src/a.ts', '// TODO: later'],
  ['a test that runs alone', 'test/e2e/a.test.ts', `it.only('a', () => {})`],
  ['a test that runs alone by option', 'test/e2e/a.test.ts', `it('a', { only: true }, () => {})`],
  ['a skipped test', 'packages/archive/src/a.test.ts', `describe.skip('a', () => {})`],
  ['a test skipped by option without reason', 'packages/archive/src/a.test.ts', `test('a', { skip: true }, () => {})`],
  ['a test that skips itself without reason', 'packages/archive/src/a.test.ts', `test('a', (t) => t.skip())`],
  ['a switched-off test in a contract suite', 'packages/archive/src/a.contract.ts', `it.todo('a')`],
];

describe('hygiene', () => {
  it('holds in every source file', () => {
    const files = readFiles('{packages,scripts,test,bench}/**/*.{ts,tsx,mts,mjs}');
    assert.ok(files.length > 0);
    assert.deepEqual(files.flatMap(hygieneProblems), []);
  });

  for (const [what, path, text] of RIGHT) {
    it(`allows ${what}`, () => assert.deepEqual(hygieneProblems({ path, text }), []));
  }

  for (const [what, path, text] of WRONG) {
    it(`refuses ${what}`, () => assert.equal(hygieneProblems({ path, text }).length, 1));
  }
});
