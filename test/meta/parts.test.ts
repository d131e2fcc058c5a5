import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { tableRows } from './markdown.ts';
import { descendants, dotted, literal, parse } from './syntax.ts';

const SEPARATOR = ' › ';

/** The names that `describe`, `it`, `test` and `suite` give in a test file. */
function testNames(path: string, text: string): Set<string> {
  const calls = [...descendants(parse(path, text))].filter((node) => node.type === 'CallExpression');
  const declares = calls.filter((call) => /^(describe|it|test|suite|t\.test)$/.test(dotted(call['callee']) ?? ''));
  return new Set(
    declares.map((call) => literal((call['arguments'] as unknown[])[0])).filter((name) => name !== undefined),
  );
}

/** Rows of test/parts.md whose test does not exist; `read` gives a file's text, or undefined. */
function missingTests(markdown: string, read: (path: string) => string | undefined): string[] {
  return tableRows(markdown).flatMap(([part, reference = '']) => {
    const [path = '', ...names] = reference.split(SEPARATOR).map((name) => name.trim());
    const text = read(path);
    if (text === undefined) return [`${part}: no file ${path}`];
    if (names.length === 0) return [`${part}: names no test of ${path}`];
    const known = testNames(path, text);
    return names.filter((name) => !known.has(name)).map((name) => `${part}: ${path} has no test "${name}"`);
  });
}

const TABLE = '| part | test |\n|---|---|\n';

describe('test/parts.md', () => {
  it('names tests that exist', () => {
    const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
    assert.deepEqual(missingTests(readFileSync('test/parts.md', 'utf8'), read), []);
  });

  it('is read with suites, backticks and bars', () => {
    const row = '| restore | `a.test.ts › restore › gives \\| back` |\n';
    const text = `describe('restore', () => { it('gives | back', () => {}) })`;
    assert.deepEqual(
      missingTests(TABLE + row, () => text),
      [],
    );
  });

  it('is refused when a file, a test or the name is missing', () => {
    const rows = '| a | gone.test.ts › x |\n| b | a.test.ts › y |\n| c | a.test.ts |\n';
    const read = (path: string) => (path === 'a.test.ts' ? `// y\nit('x', () => {})` : undefined);
    assert.deepEqual(missingTests(TABLE + rows, read), [
      'a: no file gone.test.ts',
      'b: a.test.ts has no test "y"',
      'c: names no test of a.test.ts',
    ]);
  });
});
