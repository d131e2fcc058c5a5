import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { asideName, deletedName, type ExistingMode } from './existing.ts';
import { restore } from './restore.ts';
import { buildArchive, type DirectoryNode, file, link, tree } from './testing/archive-builder.ts';
import { expected, scan } from './testing/scan.ts';

const NOW = new Date(2026, 0, 31, 12, 34, 56).getTime();
const STAMP = '(before restore 2026-01-31 12.34.56)';

describe('what is there already', () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdfast-existing-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const fresh = () => mkdtempSync(join(dir, 'to-'));

  async function into(to: string, node: DirectoryNode, existing?: ExistingMode) {
    const { endpoint, keys, root } = await buildArchive(node);
    const result = await restore({
      endpoint,
      keys,
      root,
      target: { dir: to },
      now: () => NOW,
      ...(existing ? { existing } : {}),
    });
    const listed = result.skipped.map(({ path, reason }) => `${Buffer.from(path)} ${reason}`);
    const renamed = result.renamed.map(({ path, to: name }) => `${Buffer.from(path)} -> ${Buffer.from(name)}`);
    return { ...result, listed, renamed };
  }

  it('gets another name, with the moment of the restore, and another number each time', async () => {
    const to = fresh();
    for (const content of ['mine', 'mine too']) {
      writeFileSync(`${to}/a.txt`, content);
      const { ok, renamed } = await into(to, tree({ 'a.txt': 'from the archive' }));
      assert.equal(ok, true);
      assert.equal(renamed.length, 1);
    }
    assert.equal(readFileSync(`${to}/a.txt`, 'utf8'), 'from the archive');
    assert.equal(readFileSync(`${to}/a.txt ${STAMP}`, 'utf8'), 'mine');
    assert.equal(readFileSync(`${to}/a.txt (before restore 2026-01-31 12.34.56 2)`, 'utf8'), 'mine too');
  });

  it('is replaced when that is asked for, whatever kind of file it is', async () => {
    const to = fresh();
    writeFileSync(`${to}/a`, 'mine');
    symlinkSync('elsewhere', `${to}/b`);
    writeFileSync(`${to}/c`, 'mine');
    mkdirSync(`${to}/d`);
    writeFileSync(`${to}/e`, 'mine');
    const node = tree({ a: 'A', b: 'B', c: link('C'), d: 'D', e: tree({ f: 'F' }) });
    const { ok, renamed } = await into(to, node, 'overwrite');
    assert.equal(ok, true);
    assert.deepEqual(renamed, []);
    assert.deepEqual(scan(to), expected(node));
  });

  it('stays when that is asked for, and everything beside it is restored', async () => {
    const to = fresh();
    writeFileSync(`${to}/a`, 'mine');
    symlinkSync('elsewhere', `${to}/b`);
    writeFileSync(`${to}/d`, 'mine');
    mkdirSync(`${to}/sub`);
    writeFileSync(`${to}/sub/x`, 'mine');
    const node = tree({ a: 'A', b: link('B'), c: 'C', d: tree({ e: 'E' }), sub: tree({ x: 'X', y: 'Y' }) });
    const { ok, listed } = await into(to, node, 'skip');
    assert.equal(ok, true);
    assert.deepEqual(listed, ['a exists', 'b exists', 'd exists', 'sub/x exists']);
    const found = scan(to);
    const contents = Object.entries(found).map(([path, { content, target }]) => `${path} ${content ?? target ?? ''}`);
    assert.deepEqual(contents, ['a mine', 'b elsewhere', 'c C', 'd mine', 'sub ', 'sub/x mine', 'sub/y Y']);
  });

  it('is never removed when it is a directory with something in it', async () => {
    const to = fresh();
    mkdirSync(`${to}/a/precious`, { recursive: true });
    mkdirSync(`${to}/b/precious`, { recursive: true });
    const { ok, listed } = await into(to, tree({ a: 'A', b: link('B') }), 'overwrite');
    assert.equal(ok, false);
    assert.deepEqual(listed.sort(), ['a in_the_way', 'b in_the_way']);
    assert.deepEqual(readdirSync(`${to}/a`), ['precious']);
    const renaming = await into(to, tree({ a: 'A', b: link('B') }));
    assert.deepEqual(renaming.renamed.sort(), [`a -> a ${STAMP}`, `b -> b ${STAMP}`]);
    assert.deepEqual(readdirSync(`${to}/b ${STAMP}`), ['precious']);
  });

  it('is merged when both are directories, which get their time and mode back at the end', async () => {
    const to = fresh();
    mkdirSync(`${to}/d`, { mode: 0o700 });
    writeFileSync(`${to}/d/other`, 'mine');
    const node = tree({ d: tree({ a: 'A' }, { mode: 0o751, mtime: { sec: -5, nsec: 7 } }) });
    await into(to, node);
    const { d, ...rest } = scan(to);
    assert.deepEqual(d, expected(node)['d']);
    assert.deepEqual(Object.keys(rest), ['d/a', 'd/other']);
  });

  it('is not even read when size, time and mode are right', async () => {
    const to = fresh();
    const node = tree({ a: 'A'.repeat(100), l: link('x') });
    const { endpoint, keys, root } = await buildArchive(node);
    const options = { endpoint, keys, root, target: { dir: to } } as const;
    const first = await restore(options);
    const inode = lstatSync(`${to}/a`).ino;
    const again = await restore(options);
    assert.equal(again.unchanged, 2);
    assert.ok(again.bytesRead < first.bytesRead);
    assert.equal(lstatSync(`${to}/a`).ino, inode);
    assert.deepEqual(readdirSync(to), ['a', 'l']);
  });

  it('is kept aside when only its time differs', async () => {
    const to = fresh();
    const node = tree({ a: 'A' });
    await into(to, node);
    utimesSync(`${to}/a`, 1, 1);
    const { renamed } = await into(to, node);
    assert.deepEqual(renamed, [`a -> a ${STAMP}`]);
    assert.deepEqual(scan(to)['a'], expected(node)['a']);
  });

  it('becomes the hard link that it was, without losing what differs', async () => {
    const to = fresh();
    const shared = file('same', { group: 1 });
    const node = tree({ a: shared, b: shared, c: tree({ d: shared, e: shared }) });
    await into(to, node);
    rmSync(`${to}/b`);
    writeFileSync(`${to}/b`, 'mine');
    rmSync(`${to}/c/d`);
    const { ok, renamed, unchanged } = await into(to, node);
    assert.equal(ok, true);
    assert.deepEqual(renamed, [`b -> b ${STAMP}`]);
    assert.equal(unchanged, 2);
    const { [`b ${STAMP}`]: aside, ...found } = scan(to);
    assert.equal(aside?.content, 'mine');
    assert.deepEqual(found, expected(node));
  });

  it('keeps a name within 255 bytes, cut at the end of a character', () => {
    const long = Buffer.from('ä'.repeat(127));
    const aside = asideName(long, NOW);
    assert.ok(aside.length <= 255 && aside.length > 252);
    assert.equal(Buffer.from(aside).toString(), `${'ä'.repeat((aside.length - STAMP.length - 1) / 2)} ${STAMP}`);
    assert.equal(Buffer.from(deletedName(Buffer.from('a'), NOW)).toString(), 'a (deleted 2026-01-31 12.34.56)');
    const binary = Buffer.alloc(255, 0x80);
    assert.equal(asideName(binary, NOW).length, STAMP.length + 1);
  });
});
