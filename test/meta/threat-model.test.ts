import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { sections, tableRows } from './markdown.ts';
import { missingTests, type ReadText } from './named-tests.ts';

const GUARANTEES = 'What is guaranteed';
const ATTACKS = 'Which test tries to break it';

function problems(markdown: string, read: ReadText): string[] {
  const parts = sections(markdown);
  const numbers = [...(parts.get(GUARANTEES) ?? '').matchAll(/^(\d+)\. \*\*/gm)].map(([, number]) => number ?? '');
  const rows = tableRows(parts.get(ATTACKS) ?? '');
  const attacked = new Set(rows.map(([number]) => number));
  return [
    ...numbers
      .filter((number) => !attacked.has(number))
      .map((number) => `guarantee ${number}: no test tries to break it`),
    ...[...attacked].filter((number) => !numbers.includes(number ?? '')).map((number) => `no guarantee ${number}`),
    ...missingTests(
      rows.map(([number, attack, test = '']) => [`${number}, ${attack}`, test]),
      read,
    ),
  ];
}

describe('docs/threat-model.md', () => {
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);

  it('names for each guarantee a test that exists and tries to break it', () => {
    const markdown = readFileSync('docs/threat-model.md', 'utf8');
    assert.deepEqual(problems(markdown, read), []);
    assert.ok(tableRows(sections(markdown).get(ATTACKS) ?? '').length >= 14);
  });

  it('is refused when a guarantee has no test, or one that is not there', () => {
    const table =
      '| guarantee | attack | test |\n|---|---|---|\n| 1 | a | `x.test.ts › y` |\n| 3 | b | `x.test.ts › x` |\n';
    const small = `## ${GUARANTEES}\n\n1. **One.** It is.\n2. **Two.** It is.\n\n## ${ATTACKS}\n\n${table}`;
    assert.deepEqual(
      problems(small, () => `test('x', () => {})`),
      ['guarantee 2: no test tries to break it', 'no guarantee 3', '1, a: x.test.ts has no test "y"'],
    );
  });
});
