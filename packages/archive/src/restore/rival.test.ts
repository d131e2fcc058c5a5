import assert from 'node:assert/strict';
import { once } from 'node:events';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { restore } from './restore.ts';
import { buildArchive, type DirectoryNode, file, type Node, tree } from './testing/archive-builder.ts';
import type { Rivalry } from './testing/rival.ts';

const COUNT = 200;
const range = (prefix: string): string[] =>
  Array.from({ length: COUNT }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`);

describe('another process in the target', { skip: process.platform !== 'linux' && 'needs descriptors' }, () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdfast-rival-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  /** Restores against a rival that waits for these names. Returns how many it could swap. */
  async function against(node: DirectoryNode, names: Pick<Rivalry, 'directories' | 'nodes'>): Promise<number> {
    const [target, outside, aside] = ['target', 'outside', 'aside'].map((name) => {
      const path = join(dir, name);
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path);
      return path;
    }) as [string, string, string];
    writeFileSync(join(outside, 'secret'), 'untouched', { mode: 0o600 });
    const before = standing(outside);
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const workerData: Rivalry = { target, outside, aside, secret: 'secret', stop, ...names };
    const rival = new Worker(new URL('./testing/rival.ts', import.meta.url), { workerData });
    await once(rival, 'message');
    const done = once(rival, 'message');
    const { endpoint, keys, root } = await buildArchive(node);
    await restore({ endpoint, keys, root, target: { dir: target }, existing: 'overwrite' });
    Atomics.store(stop, 0, 1);
    const [swapped] = (await done) as [number];
    assert.deepEqual(standing(outside), before);
    return swapped;
  }

  it('that puts links to the outside in the place of directories leads nothing there', async () => {
    const directories = range('d');
    const inside = (): Node => tree({ a: file('a'.repeat(300)), sub: tree({ b: 'b' }), secret: 'overwritten' });
    const node = tree(Object.fromEntries(directories.map((name) => [name, inside()])));
    assert.notEqual(await against(node, { directories, nodes: [] }), 0);
  });

  it('that puts files of the outside in the place of FIFOs has no attribute of theirs given to them', async () => {
    const nodes = range('n');
    const fifo: Node = { type: 'fifo', mode: 0o1757, mtime: { sec: 1, nsec: 1 } };
    const node = tree(Object.fromEntries(nodes.map((name) => [name, fifo])));
    assert.notEqual(await against(node, { directories: [], nodes }), 0);
  });
});

/** Everything in a folder but what further names of a file change. */
function standing(folder: string): unknown[] {
  return ['.', ...readdirSync(folder)].map((name) => {
    const path = join(folder, name);
    const { mode, uid, gid, mtimeNs, size } = lstatSync(path, { bigint: true });
    return { name, mode, uid, gid, mtimeNs, size, content: name === '.' ? '' : readFileSync(path, 'utf8') };
  });
}
