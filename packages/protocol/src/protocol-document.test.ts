import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { authorityRoutes } from './authority-routes.ts';
import { storageRoutes } from './storage-routes.ts';

const document = readFileSync(join(import.meta.dirname, '../../../docs/protocol.md'), 'utf8');

test('docs/protocol.md lists every route with who may call it and what it does, and no other', () => {
  const rows = document.split('\n').filter((line) => /^\| `(GET|POST|PUT|DELETE) \//.test(line));
  const routes = [...authorityRoutes, ...Object.values(storageRoutes)];
  const expected = routes.map((r) => `| \`${r.method} ${r.path}\` | ${r.permission} | ${r.summary} |`);
  assert.deepEqual([...new Set(rows)].sort(), expected.sort());
});
