import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ROOT } from '../scripts/processes.ts';
import type { Line } from './table.ts';
import { WORKS } from './works/registry.ts';

/** Those that need no server and no minutes, however little there is to do. */
const QUICK = ['insert', 'moved', 'rewritten', 'same-ids', 'known-ids'];

describe('the bench', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-test-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('gives a figure for each row that is asked for, on a tiny tree and without peers', () => {
    const tree = join(folder, 'tree');
    mkdirSync(tree);
    for (let i = 0; i < 20; i++) writeFileSync(join(tree, `file ${i}`), `content ${i} `.repeat(100));
    const json = join(folder, 'rows.json');
    const small = ['--runs', '1', '--peers', 'none', '--scale', '0.001'];
    const args = ['--tree', tree, '--only', QUICK.join(','), ...small, '--json', json];
    const ran = spawnSync(process.execPath, [join(ROOT, 'bench/main.ts'), ...args], { encoding: 'utf8' });
    assert.equal(ran.status, 0, ran.stdout + ran.stderr);
    const { rows } = JSON.parse(readFileSync(json, 'utf8')) as { rows: Line[] };
    const expected = WORKS.filter(({ name }) => QUICK.includes(name)).flatMap((work) => work.rows);
    assert.deepEqual(rows.map(({ id }) => id).sort(), expected.toSorted());
    for (const row of rows) {
      assert.ok('ours' in row && Number.isFinite(row.ours), JSON.stringify(row));
      assert.match(ran.stdout, new RegExp(`^${row.id} `, 'm'));
    }
  });
});
