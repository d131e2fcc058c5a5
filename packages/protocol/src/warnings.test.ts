import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ALL_WARNINGS, isDegraded, WARNINGS } from './warnings.ts';

const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/install.md'), 'utf8');

test('docs/guide/install.md lists every warning, its status and what to do about it, and no other', () => {
  const rows = guide.split('\n').filter((line) => /^\| `\w+` \| (ok|degraded) \|/.test(line));
  const expected = ALL_WARNINGS.map((code) => {
    const status = isDegraded([code]) ? 'degraded' : 'ok';
    return `| \`${code}\` | ${status} | ${WARNINGS[code]} |`;
  });
  assert.deepEqual(rows, expected);
});
