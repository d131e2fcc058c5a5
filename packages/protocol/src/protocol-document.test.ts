import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { authorityRoutes } from './authority-routes.ts';
import { storageRoutes } from './storage-routes.ts';

const document = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');

test('docs/protocol.md lists every route with who may call it and what it does, and no other', () => {
  const rows = document.split('\n').filter((line) => /^\| `(GET|POST|PUT|DELETE) \//.test(line));
  const routes = [...authorityRoutes, ...Object.values(storageRoutes)];
  const expected = routes.map((r) => `| \`${r.method} ${r.path}\` | ${r.permission} | ${r.summary} |`);
  assert.deepEqual([...new Set(rows)].sort(), expected.sort());
});
