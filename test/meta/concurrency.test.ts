import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { sections, tableRows } from './markdown.ts';
import { missingTests, type ReadText } from './named-tests.ts';

const PROOFS = 'Which test proves it';

/** Each cell of the table as `row and column`; what it says is the number of a reason. */
function pairs(table: string): { pair: string; reason: string }[] {
  const head = table.split('\n').find((line) => line.startsWith('| |')) ?? '';
  const columns = [...head.matchAll(/\*\*(\w+)\*\*|\|\s*(\w+)\s*(?=\|)/g)].map(
    ([, bold, plain]) => bold ?? plain ?? '',
  );
  return tableRows(table).flatMap(([name = '', ...cells]) =>
    cells.flatMap((reason, i) =>
      reason === '' ? [] : [{ pair: `${name.replaceAll('*', '')} and ${columns[i]}`, reason }],
    ),
  );
}

function problems(markdown: string, read: ReadText): string[] {
  const table = markdown.split('\n## ')[0] ?? '';
  const proofs = tableRows(sections(markdown).get(PROOFS) ?? '');
  const proven = new Set(proofs.map(([pair]) => pair));
  const cells = pairs(table);
  const known = new Set(cells.map(({ pair }) => pair));
  return [
    ...cells.filter(({ pair }) => !proven.has(pair)).map(({ pair }) => `${pair}: no test is named`),
    ...cells
      .filter(({ reason }) => !table.includes(`\n${reason}. `))
      .map(({ pair, reason }) => `${pair}: no reason ${reason}`),
    ...[...proven].filter((pair) => !known.has(pair ?? '')).map((pair) => `${pair}: not in the table`),
    ...missingTests(proofs, read),
  ];
}

describe('docs/concurrency.md', () => {
  const markdown = readFileSync('docs/concurrency.md', 'utf8');
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);

  it('names a reason and a test that exists for each pair', () => {
    assert.deepEqual(problems(markdown, read), []);
    assert.equal(pairs(markdown.split('\n## ')[0] ?? '').length, 35);
  });

  it('is refused when a cell has no test, no reason, or a test that is not there', () => {
    const small = '| | a | b |\n|---|---|---|\n| **a** | 1 | 2 |\n\n1. Because.\n\n## Which test proves it\n\n';
    const rows = '| pair | test |\n|---|---|\n| a and a | x.test.ts › y |\n| c and a | x.test.ts › x |\n';
    assert.deepEqual(
      problems(small + rows, () => `test('x', () => {})`),
      [
        'a and b: no test is named',
        'a and b: no reason 2',
        'c and a: not in the table',
        'a and a: x.test.ts has no test "y"',
      ],
    );
  });
});
