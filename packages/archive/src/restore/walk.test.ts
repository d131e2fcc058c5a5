import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ArchiveError } from '../errors.ts';
import { toHex } from '../format/ids.ts';
import { KIND } from '../format/kinds.ts';
import { encodeDirectory, type TreeEntry } from '../format/tree.ts';
import type { ChunkReader, OpenedChunk } from './chunk-reader.ts';
import { find } from './find.ts';
import { lookup, versionsOf } from './lookup.ts';
import { segmentsOf } from './segments.ts';
import { anyTree } from './testing/arbitrary.ts';
import { attributesOf, Builder, type DirectoryNode, file, type Node, tree } from './testing/archive-builder.ts';
import { pathOf, type WalkOptions, walkTree } from './walk.ts';

const LAYOUT = { small: 64, bundle: 50, piece: 100, list: 4, part: 5, packSize: 2000 };
const text = (path: Uint8Array) => Buffer.from(path).toString('latin1');

/** Opens what a builder sealed, without a store; counts what is asked. */
class BuilderReader implements ChunkReader {
  questions = 0;
  readonly asked: string[] = [];
  readonly builder: Builder;

  constructor(builder: Builder) {
    this.builder = builder;
  }

  async read(ids: readonly Uint8Array[]): Promise<(OpenedChunk | ArchiveError)[]> {
    this.questions++;
    return ids.map((id) => {
      this.asked.push(toHex(id));
      const found = this.builder.frames.get(toHex(id));
      if (found === undefined) return new ArchiveError('chunk_missing', { id });
      const { entry, plaintext } = this.builder.crypto.open(found.frame);
      return { kind: entry.kind, id, links: entry.links, plaintext };
    });
  }
}

function built(node: DirectoryNode) {
  const builder = new Builder(undefined, LAYOUT);
  return { root: builder.directory(node), builder, reader: new BuilderReader(builder) };
}

async function walked(reader: ChunkReader, root: Uint8Array, options: WalkOptions = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const item of walkTree(reader, root, options)) {
    if (item.kind === 'missing') lines.push(`missing ${text(item.path)}`);
    else if (item.kind === 'entry') lines.push(text(pathOf(item.directory, item.entry)));
    else lines.push(`${item.kind} ${text(pathOf(item.directory))}`);
  }
  return lines;
}

const byName = (a: string, b: string) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));

function listed(node: DirectoryNode, path = ''): string[] {
  return Object.keys(node.children)
    .sort(byName)
    .flatMap((name) => {
      const child = node.children[name] as Node;
      const here = path === '' ? name : `${path}/${name}`;
      return child.type === 'directory' ? [`enter ${here}`, ...listed(child, here), `leave ${here}`] : [here];
    });
}

describe('a walk', () => {
  it('meets everything once, depth first, in the order of names', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, async (node) => {
        const { root, reader } = built(node);
        assert.deepEqual(await walked(reader, root), listed(node));
      }),
    );
  });

  it('asks for many directories at a time also when more entries wait than it reads ahead', async () => {
    const many = <T>(count: number, name: string, value: T) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${i}`, value]));
    const deep = tree({ sub: tree({ f: 'f' }), ...many(5, 'f', 'f') });
    const wide = tree(many(60, 'd', tree({ ...many(200, 'f', 'f'), ...many(10, 'sub', deep) })));
    const builder = new Builder(undefined, { ...LAYOUT, part: 1024 });
    const root = builder.directory(wide);
    const reader = new BuilderReader(builder);
    await walked(reader, root);
    const directories = 1 + 60 * (1 + 10 * 2);
    assert.ok(reader.questions <= directories / 16, `${reader.questions} questions for ${directories} directories`);
  });

  it('asks for many directories at a time, and for none that is not selected', async () => {
    const wide = tree(
      Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`d${i}`, tree({ sub: tree({ f: String(i) }) })])),
    );
    const { root, reader } = built(wide);
    assert.equal((await walked(reader, root)).length, 200 * 5);
    assert.ok(reader.questions <= 8, `${reader.questions} questions`);
    const selecting = new BuilderReader(reader.builder);
    const lines = await walked(selecting, root, { select: ['d7/sub/f', 'd8/none'] });
    assert.deepEqual(lines, [
      'enter d7',
      'enter d7/sub',
      'd7/sub/f',
      'leave d7/sub',
      'leave d7',
      'enter d8',
      'leave d8',
      'missing d8/none',
    ]);
    assert.ok(selecting.asked.length < 20, `${selecting.asked.length} chunks`);
  });

  it('goes on around a directory that cannot be read, and tells which', async () => {
    const inner = tree({ x: 'x' });
    const { root, reader, builder } = built(tree({ a: inner, b: 'b', c: tree({ y: 'y' }) }));
    builder.frames.delete(toHex(builder.directory(inner)));
    assert.deepEqual(await walked(reader, root), ['enter a', 'damaged a', 'leave a', 'b', 'enter c', 'c/y', 'leave c']);
  });

  it('ends when a directory contains itself', async () => {
    const id = new Uint8Array(32).fill(7);
    const entry: TreeEntry = { name: Buffer.from('me'), type: 'directory', ...attributesOf(tree({})), tree: id };
    const { body, links } = encodeDirectory({ entries: [entry] });
    const reader: ChunkReader = {
      read: async (ids) => ids.map(() => ({ kind: KIND.tree, id, links, plaintext: body })),
    };
    assert.deepEqual(await walked(reader, id), ['enter me', 'damaged me', 'leave me']);
    const other: ChunkReader = {
      read: async (ids) =>
        ids.map(([first = 0]) => {
          const next = { ...entry, tree: new Uint8Array(32).fill((first + 1) % 3) };
          const directory = encodeDirectory({ entries: [next] });
          return { kind: KIND.tree, id, links: directory.links, plaintext: directory.body };
        }),
    };
    const lines = await walked(other, new Uint8Array(32));
    assert.deepEqual(
      lines.filter((line) => line.startsWith('damaged')),
      ['damaged me/me/me'],
    );
  });

  it('shows deleted entries when asked, after the live ones', async () => {
    const deleted = 1_000;
    const node = tree(
      { a: 'a', d: tree({}, { gone: { x: file('x', { deleted }) } }) },
      { gone: { '0': file('0', { deleted }), e: tree({ y: 'y' }, { deleted }) } },
    );
    const { root, reader } = built(node);
    assert.deepEqual(await walked(reader, root), ['a', 'enter d', 'leave d']);
    assert.deepEqual(await walked(reader, root, { includeGone: true }), [
      'a',
      'enter d',
      'd/x',
      'leave d',
      '0',
      'enter e',
      'e/y',
      'leave e',
    ]);
  });
});

describe('looking up', () => {
  const files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`file ${i}`, file(`content ${i}`)]));
  const node = tree({ big: tree(files), 'a.txt': 'a' }, { gone: { old: file('old', { deleted: 1 }) } });

  it('finds any path of any tree, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, async (any) => {
        const { root, reader } = built(any);
        const all = new Set(listed(any).map((line) => line.replace(/^enter |^leave /, '')));
        for (const path of all) {
          const entry = await lookup(reader, root, Buffer.from(path, 'latin1'));
          assert.equal(text(entry?.name ?? new Uint8Array(0)), path.split('/').at(-1));
          const other = `${path}-`;
          if (!all.has(other)) assert.equal(await lookup(reader, root, Buffer.from(other, 'latin1')), null);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('reads one chunk per directory and level', async () => {
    const { root, reader } = built(node);
    assert.equal((await lookup(reader, root, '/big/file 123'))?.size, 11);
    assert.ok(reader.asked.length <= 5, `${reader.asked.length} chunks`);
    assert.equal(await lookup(reader, root, 'big/file 300'), null);
    assert.equal(await lookup(reader, root, 'a.txt/below'), null);
  });

  it('finds a deleted entry only when asked', async () => {
    const { root, reader } = built(node);
    assert.equal(await lookup(reader, root, 'old'), null);
    assert.equal((await lookup(reader, root, 'old', { includeGone: true }))?.deleted, 1);
  });

  it('finds by a pattern of the caller', async () => {
    const { root, reader } = built(node);
    const paths: string[] = [];
    for await (const found of find(reader, root, (path) => text(path).endsWith('99'))) paths.push(text(found.path));
    assert.deepEqual(paths, ['big/file 199', 'big/file 299', 'big/file 99']);
  });

  it('tells the versions of a path, and reads no tree twice', async () => {
    const builder = new Builder(undefined, LAYOUT);
    const at = (content: string | null) =>
      builder.directory(tree({ d: tree(content === null ? { other: 'x' } : { f: content, other: 'x' }) }));
    const snapshots = [at('one'), at('one'), at('two'), at(null), at('one'), at('one')].map((root, index) => ({
      root,
      index,
    }));
    const reader = new BuilderReader(builder);
    const versions = await versionsOf(reader, snapshots, 'd/f');
    assert.deepEqual(
      versions.map((version) => version.snapshots.map(({ index }) => index)),
      [[0, 1], [2], [4, 5]],
    );
    assert.equal(new Set(reader.asked).size, reader.asked.length);
  });
});

describe('the segments of a file', () => {
  const content = Buffer.alloc(20_000, 'many pieces ');
  const { root, reader } = built(tree({ f: file(content) }));

  it('come in order from lists of lists, and add up to the file', async () => {
    const entry = (await lookup(reader, root, 'f')) as TreeEntry;
    assert.ok(entry.list !== undefined);
    let position = 0;
    for await (const run of segmentsOf(reader, entry)) {
      assert.ok(run.kind === 'run');
      assert.equal(run.position, position);
      position += run.segments.reduce((sum, { length }) => sum + length, 0);
    }
    assert.equal(position, content.length);
  });

  it('are read only where a stretch needs them', async () => {
    const entry = (await lookup(reader, root, 'f')) as TreeEntry;
    const before = reader.asked.length;
    const runs = await Array.fromAsync(segmentsOf(reader, entry, { from: 9_950, to: 10_050 }));
    const stretches = runs.map((run) => run.kind === 'run' && [run.position, run.segments.length]);
    assert.deepEqual(stretches, [
      [9_600, 4],
      [10_000, 4],
    ]);
    assert.ok(reader.asked.length - before <= 6, `${reader.asked.length - before} chunks`);
  });
});
