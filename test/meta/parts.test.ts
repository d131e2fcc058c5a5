import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { tableRows } from './markdown.ts';
import { missingTests, type ReadText } from './named-tests.ts';

const missingIn = (markdown: string, read: ReadText): string[] => missingTests(tableRows(markdown), read);

const TABLE = '| part | test |\n|---|---|\n';

describe('test/parts.md', () => {
  it('names tests that exist', () => {
    const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
    assert.deepEqual(missingIn(readFileSync('test/parts.md', 'utf8'), read), []);
  });

  it('is read with suites, backticks and bars', () => {
    const row = '| restore | `a.test.ts › restore › gives \\| back` |\n';
    const text = `describe('restore', () => { it('gives | back', () => {}) })`;
    assert.deepEqual(
      missingIn(TABLE + row, () => text),
      [],
    );
  });

  it('is refused when a file, a test or the name is missing', () => {
    const rows = '| a | gone.test.ts › x |\n| b | a.test.ts › y |\n| c | a.test.ts |\n';
    const read = (path: string) => (path === 'a.test.ts' ? `// y\nit('x', () => {})` : undefined);
    assert.deepEqual(missingIn(TABLE + rows, read), [
      'a: no file gone.test.ts',
      'b: a.test.ts has no test "y"',
      'c: names no test of a.test.ts',
    ]);
  });
});
