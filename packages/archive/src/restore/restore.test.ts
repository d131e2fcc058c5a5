import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { type RestoreOptions, type RestoreResult, restore } from './restore.ts';
import { anyTree } from './testing/arbitrary.ts';
import { type BuiltArchive, buildArchive, type DirectoryNode, file, link, tree } from './testing/archive-builder.ts';
import { expected, scan } from './testing/scan.ts';

describe('restore', () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdfast-restore-'));
  });
  after(() => execFileSync('rm', ['-rf', dir])); // deeper than paths reach
  const fresh = () => mkdtempSync(join(dir, 'to-'));
  const into = (to: string, { endpoint, keys, root }: BuiltArchive, options: Partial<RestoreOptions> = {}) =>
    restore({ endpoint, keys, root, target: { dir: to }, ...options });
  const clean = ({ ok, skipped, damaged, renamed }: RestoreResult) => ({ ok, skipped, damaged, renamed });
  const CLEAN = { ok: true, skipped: [], damaged: [], renamed: [] };

  it('brings back any tree exactly, and finds nothing to do the second time', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, async (node) => {
        const archive = await buildArchive(node);
        const to = fresh();
        const first = await into(to, archive);
        assert.deepEqual(clean(first), CLEAN);
        assert.deepEqual(scan(to), expected(node));
        const again = await into(to, archive);
        assert.deepEqual(clean(again), CLEAN);
        assert.equal(again.unchanged, again.done.files + again.done.others);
        assert.deepEqual(again.done, first.done);
        assert.deepEqual(scan(to), expected(node));
      }),
      { numRuns: 60 },
    );
  });

  it('opens chunks in threads when there are many, with the same outcome', async () => {
    const content = (seed: number) => Buffer.alloc(700_000, `content ${seed} `);
    const files = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, file(content(i))]));
    const node = tree({ ...files, more: tree(files) });
    const archive = await buildArchive(node, { piece: 100_000, packSize: 1 << 20, list: 4 });
    const to = fresh();
    const result = await into(to, archive, { workers: 2 });
    assert.deepEqual(clean(result), CLEAN);
    assert.equal(result.done.bytes, 2 * 20 * 700_000);
    assert.deepEqual(scan(to), expected(node));
  });

  it('brings back a tree of 500 levels with long names, far deeper than paths reach', async () => {
    const name = 'level'.repeat(40);
    let node: DirectoryNode = tree({ 'at the end': 'found' });
    for (let depth = 0; depth < 500; depth++) node = tree({ [name]: node, beside: 'x' });
    const to = fresh();
    const result = await into(to, await buildArchive(node));
    assert.deepEqual(clean(result), CLEAN);
    assert.equal(result.done.directories, 500);
    const here = process.cwd();
    try {
      process.chdir(to);
      for (let depth = 0; depth < 500; depth++) process.chdir(name);
      assert.equal(readFileSync('at the end', 'utf8'), 'found');
    } finally {
      process.chdir(here);
    }
  });

  it('restores selected paths only, with what leads to them, and says which are not there', async () => {
    const node = tree({
      home: tree({ ada: tree({ 'a.txt': 'a', 'b.txt': 'b' }), bob: tree({ c: 'c' }) }),
      etc: tree({ hosts: 'h' }),
    });
    const to = fresh();
    const select = ['/home/ada/a.txt', 'home/bob', Buffer.from('home/eve/x'), 'none'];
    const result = await into(to, await buildArchive(node), { select });
    assert.deepEqual(Object.keys(scan(to)), ['home', 'home/ada', 'home/ada/a.txt', 'home/bob', 'home/bob/c']);
    assert.equal(result.ok, false);
    const missing = result.skipped.map(({ path, reason }) => `${Buffer.from(path)} ${reason}`);
    assert.deepEqual(missing.sort(), ['home/eve/x not_in_snapshot', 'none not_in_snapshot']);
  });

  it('reads of a directory in parts only what a selected path needs', async () => {
    const files = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`file ${i}`, file(`content ${i}`)]));
    const archive = await buildArchive(tree({ big: tree(files) }), { part: 10, small: 1, packSize: 1 });
    const to = fresh();
    const { reads } = await into(to, archive, { select: ['big/file 321'] });
    assert.deepEqual(Object.keys(scan(to)), ['big', 'big/file 321']);
    assert.equal(reads, 5); // root, directory, index, leaf, content
  });

  it('leaves deleted entries out unless asked, and gives those a name of their own whose name is in use', async () => {
    const deleted = Date.UTC(2026, 0, 2, 3, 4, 5);
    const gone = {
      'old.txt': file('old', { deleted }),
      again: file('first', { deleted }),
      d: tree({ x: 'x' }, { deleted }),
    };
    const archive = await buildArchive(tree({ again: tree({ y: 'y' }), 'new.txt': 'new' }, { gone }));
    const without = fresh();
    await into(without, archive);
    assert.deepEqual(Object.keys(scan(without)), ['again', 'again/y', 'new.txt']);
    const withGone = fresh();
    const result = await into(withGone, archive, { includeGone: true });
    assert.equal(result.ok, true);
    const found = scan(withGone);
    const renamed = Object.keys(found).find((path) => path.startsWith('again (deleted 2026-01-0'));
    assert.equal(found[renamed ?? '']?.content, 'first');
    assert.deepEqual(
      Object.keys(found).filter((path) => path !== renamed),
      ['again', 'again/y', 'd', 'd/x', 'new.txt', 'old.txt'],
    );
  });

  it('puts things back where they came from, through the links on the way, and leaves the directories above alone', async () => {
    const base = realpathSync(fresh());
    mkdirSync(join(base, 'real'), { mode: 0o700 });
    symlinkSync('real', join(base, 'way'));
    const before = lstatSync(base, { bigint: true });
    const leaf: DirectoryNode = tree({ docs: tree({ 'a.txt': 'a' }), other: 'not selected' });
    const path = [...base.split('/').filter(Boolean), 'way'];
    const node = path.reduceRight((below, name) => tree({ [name]: below }, { mode: 0o777 }), leaf);
    const { endpoint, keys, root } = await buildArchive(node);
    const result = await restore({ endpoint, keys, root, target: 'original', select: [join(base, 'way/docs')] });
    assert.deepEqual(clean(result), CLEAN);
    assert.deepEqual(Object.keys(scan(base)), ['real', 'real/docs', 'real/docs/a.txt', 'way']);
    const after = lstatSync(base, { bigint: true });
    assert.deepEqual([after.mode, after.mtimeNs], [before.mode, before.mtimeNs]);
    assert.equal(lstatSync(join(base, 'real')).mode & 0o777, 0o700);
  });

  it('says beforehand what it would do, and writes nothing', async () => {
    const node = tree({ a: 'x'.repeat(1000), b: 'x'.repeat(1000), c: tree({ l: link('a') }) });
    const to = fresh();
    const archive = await buildArchive(node);
    const plan = await into(to, archive, { dryRun: true });
    assert.equal(plan.kind, 'planned');
    assert.deepEqual(plan.done, { files: 2, directories: 1, others: 1, bytes: 2000 });
    assert.deepEqual(scan(to), {});
    const result = await into(to, archive);
    assert.equal(plan.packs, 1);
    assert.ok(plan.bytesRead > 0 && plan.bytesRead <= result.bytesRead);
  });

  it('reads a chunk that many files share once', async () => {
    const content = 'shared '.repeat(100);
    const files = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, file(content)]));
    const archive = await buildArchive(tree(files), { piece: 1000, part: 100 });
    const to = fresh();
    const { bytesRead } = await into(to, archive);
    const stored = archive.frames.reduce((sum, { frame }) => sum + frame.length, 0);
    assert.equal(bytesRead, stored);
    assert.equal(scan(to)['f49']?.content, content);
  });

  it('tells progress with totals that are known from the beginning, and a rate', async () => {
    let now = 0;
    const seen: number[] = [];
    const node = tree({ a: 'x'.repeat(1000), b: 'y'.repeat(500) });
    await into(fresh(), await buildArchive(node), {
      now: () => (now += 1000),
      expected: { files: 2, bytes: 1500 },
      onEvent: (event) => {
        if (event.kind !== 'progress') return;
        assert.equal(event.total.bytes, 1500);
        assert.equal(event.total.files, 2);
        seen.push(event.done.bytes);
        if (event.done.bytes === 1500) assert.ok(event.bytesPerSecond > 0);
      },
    });
    assert.equal(seen.at(-1), 1500);
    assert.deepEqual(
      [...seen].sort((a, b) => a - b),
      seen,
    );
  });
});
