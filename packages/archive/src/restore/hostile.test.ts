import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import type { ArchiveSession } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import { concatBytes } from '../format/bytes.ts';
import { type CborValue, encode } from '../format/cbor.ts';
import { ENTRY_LENGTH } from '../format/entry.ts';
import { compareBytes } from '../format/ids.ts';
import { KIND, type Kind } from '../format/kinds.ts';
import { encodeList } from '../format/list.ts';
import { encodeDirectory, type TreeEntry } from '../format/tree.ts';
import { type RestoreOptions, restore } from './restore.ts';
import { anyTree } from './testing/arbitrary.ts';
import { attributesOf, Builder, type BuiltArchive, buildArchive, file, link, tree } from './testing/archive-builder.ts';
import { scan } from './testing/scan.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a hostile archive', () => {
  let dir: string;
  let outside: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdfast-hostile-'));
    outside = join(dir, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'precious'), 'precious');
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const fresh = () => mkdtempSync(join(dir, 'to-'));

  async function into(to: string, { endpoint, keys, root }: BuiltArchive, options: Partial<RestoreOptions> = {}) {
    const beside = readdirSync(dir).sort();
    const result = await restore({ endpoint, keys, root, target: { dir: to }, ...options });
    assert.deepEqual(readdirSync(dir).sort(), beside);
    assert.deepEqual(readdirSync(outside), ['precious']);
    assert.equal(readFileSync(join(outside, 'precious'), 'utf8'), 'precious');
    return { ...result, listed: result.damaged.map(({ path, code }) => `${Buffer.from(path)} ${code}`) };
  }

  /** An archive whose root is a tree chunk with this body and these links, whatever they say. */
  function withRoot(
    body: Uint8Array,
    links: readonly Uint8Array[] = [],
    builder = new Builder(),
  ): Promise<BuiltArchive> {
    return builder.build(builder.seal(KIND.tree, body, concatBytes(...[...links].sort(compareBytes))));
  }

  const COMMON: readonly (readonly [number, CborValue])[] = [
    [2, 0o644],
    [3, 0],
    [4, 0],
    [5, [0, 0]],
  ];
  const rawEntry = (name: CborValue, type: number, ...rest: (readonly [number, CborValue])[]): CborValue =>
    new Map<number, CborValue>([[0, name], [1, type], ...COMMON, ...rest]);
  const rawTree = (...entries: CborValue[]) =>
    encode(
      new Map<number, CborValue>([
        [0, 1],
        [1, entries],
      ]),
    );
  const entryOf = (name: string, type: TreeEntry['type'], rest: Partial<TreeEntry>): TreeEntry => ({
    name: bytes(name),
    type,
    ...attributesOf(file('')),
    ...rest,
  });

  it('cannot write outside by the name of an entry', async () => {
    for (const name of ['..', '.', '', 'a/b', '../outside/x', '/etc/x', 'a\0b']) {
      const body = rawTree(rawEntry(bytes(name), 2, [11, bytes('target')]));
      const to = fresh();
      const { ok, listed } = await into(to, await withRoot(body));
      assert.equal(ok, false);
      assert.deepEqual(listed, [' format_invalid'], name);
      assert.deepEqual(readdirSync(to), []);
    }
  });

  it('cannot write through a link that it made, by repeating a name in one directory or in two parts of it', async () => {
    const builder = new Builder();
    const below = builder.directory(tree({ x: 'written through the link' }));
    const way = entryOf('way', 'symlink', { target: bytes(outside) });
    const directory = entryOf('way', 'directory', { tree: below });
    const twice = rawTree(rawEntry(bytes('way'), 2, [11, bytes(outside)]), rawEntry(bytes('way'), 1, [10, 0]));
    const one = await into(fresh(), await withRoot(twice, [below], builder));
    assert.deepEqual(one.listed, [' format_invalid']);

    const parts = [[way], [directory]].map((entries) => {
      const { body, links } = encodeDirectory({ entries });
      return builder.seal(KIND.part, body, links);
    });
    for (const second of ['way ', 'wax', 'z']) {
      const children: CborValue[] = [
        [bytes('way'), 0],
        [bytes(second), 1],
      ];
      if (second === 'wax') children.reverse();
      const ids = [...parts].sort(compareBytes);
      const index = encode(
        new Map<number, CborValue>([
          [0, 1],
          [
            2,
            children.map((child) => {
              const [name] = child as [Uint8Array];
              return [name, ids.indexOf((compareBytes(name, bytes('way')) === 0 ? parts[0] : parts[1]) as Uint8Array)];
            }),
          ],
        ]),
      );
      const to = fresh();
      const two = await into(to, await withRoot(index, parts, builder));
      assert.ok(two.listed.includes(' format_invalid'), second);
    }
  });

  it('cannot write through a link that was there before, or that takes the place of a directory meanwhile', async () => {
    const node = tree({ d: tree({ a: 'A'.repeat(300), e: tree({ b: 'B'.repeat(300) }) }), z: 'Z' });
    const archive = await buildArchive(node, { packSize: 1 });
    const before = fresh();
    symlinkSync(outside, join(before, 'd'));
    const { ok, renamed } = await into(before, archive);
    assert.equal(ok, true);
    assert.equal(renamed.length, 1);
    assert.equal(scan(before)['d/e/b']?.content, 'B'.repeat(300));

    for (let at = 1; at < 12; at++) {
      const to = fresh();
      let events = 0;
      let now = 0;
      const onEvent = () => {
        if (++events !== at || !readdirSync(to).includes('d')) return;
        renameSync(join(to, 'd'), join(to, 'moved'));
        symlinkSync(outside, join(to, 'd'));
      };
      await into(to, archive, { onEvent, now: () => (now += 1000) });
    }
  });

  it('ends although its directories contain each other: no id can promise that, whatever the store answers', async () => {
    const node = tree({ a: tree({ b: tree({ c: 'C' }) }), f: 'F' });
    const { endpoint, keys, root } = await buildArchive(node);
    const session = await endpoint.openSession('restore');
    const [top] = await session.locate(root);
    const lying = lyingEndpoint(session, async (ids) =>
      (await session.locate(ids)).map((location, i) =>
        i === 0 && compareBytes(ids, root) !== 0 ? (top ?? null) : location,
      ),
    );
    const { listed } = await into(fresh(), { endpoint: lying, keys, root } as unknown as BuiltArchive);
    assert.ok(listed.length > 0);
    for (const line of listed) assert.match(line, /chunk_unexpected$/);
  });

  it('cannot put a chunk of another kind where a directory, a part, a list or content belongs', async () => {
    const builder = new Builder();
    const data = builder.seal(KIND.data, bytes('content'));
    const treeId = builder.directory(tree({ x: 'x' }));
    const list = encodeList({ segments: [{ id: data, offset: 0, length: 7 }] });
    const listId = builder.seal(KIND.list, list.body, list.links);
    const entries = [
      entryOf('as directory', 'directory', { tree: data }),
      entryOf('as file', 'file', { size: 4, segments: [{ id: treeId, offset: 0, length: 4 }] }),
      entryOf('as list', 'file', { size: 2000, list: treeId }),
      entryOf('list as directory', 'directory', { tree: listId }),
      entryOf('right', 'file', { size: 7, segments: [{ id: data, offset: 0, length: 7 }] }),
    ];
    const { body, links } = encodeDirectory({ entries });
    const to = fresh();
    const { listed, ok } = await into(to, await builder.build(builder.seal(KIND.tree, body, links)));
    assert.equal(ok, false);
    assert.deepEqual(listed.sort(), [
      'as directory chunk_unexpected',
      'as file chunk_unexpected',
      'as list chunk_unexpected',
      'list as directory chunk_unexpected',
    ]);
    assert.equal(scan(to)['right']?.content, 'content');
    const index = encodeDirectory({ children: [{ first: bytes('x'), id: treeId }] });
    const part = await into(fresh(), await builder.build(builder.seal(KIND.tree, index.body, index.links)));
    assert.deepEqual(part.listed, [' chunk_unexpected']);
  });

  it('cannot make a file longer than its chunks, or a list that does not add up', async () => {
    const builder = new Builder();
    const data = builder.seal(KIND.data, bytes('content'));
    const segments = [{ id: data, offset: 0, length: 7 }];
    const leaf = encodeList({ segments });
    const short = builder.seal(KIND.list, leaf.body, leaf.links);
    const index = encodeList({
      children: [
        { start: 0, id: short },
        { start: 2000, id: builder.seal(KIND.list, leaf.body, leaf.links) },
      ],
    });
    const long = builder.seal(KIND.list, index.body, index.links);
    const entries = [
      entryOf('a', 'file', { size: 9, segments: [{ id: data, offset: 0, length: 9 }] }),
      entryOf('b', 'file', { size: 9, segments: [{ id: data, offset: 5, length: 9 }] }),
      entryOf('c', 'file', { size: 2000, list: short }),
      entryOf('d', 'file', { size: 2500, list: long }),
      entryOf('large', 'file', { size: 70_000, segments: [{ id: data, offset: 0, length: 70_000 }] }),
    ];
    const { body, links } = encodeDirectory({ entries });
    const to = fresh();
    const { listed } = await into(to, await builder.build(builder.seal(KIND.tree, body, links)));
    assert.deepEqual(
      listed.sort(),
      ['a', 'b', 'c', 'd', 'large'].map((name) => `${name} format_invalid`),
    );
    assert.deepEqual(readdirSync(to), []);
  });

  it('cannot pass content off as another by changing links, ids or sealed bytes', async () => {
    const node = tree({ a: 'content of a', d: tree({ x: 'X', y: 'Y'.repeat(200) }), z: 'Z'.repeat(200) });
    const changes: readonly [string, (builder: Builder) => void][] = [
      [
        'chunk_seal_broken',
        (builder) => {
          for (const { kind, id, frame } of builder.frames.values())
            if (kind === KIND.tree) builder.add({ kind, id, frame: withOtherLink(frame) });
        },
      ],
      ['chunk_id_mismatch', (builder) => reseal(builder, KIND.data, bytes('planted'))],
      [
        'chunk_seal_broken',
        (builder) => {
          for (const { kind, id, frame } of builder.frames.values()) {
            const flipped = frame.slice();
            flipped[frame.length - 20] = (flipped[frame.length - 20] as number) ^ 1;
            if (kind === KIND.data) builder.add({ kind, id, frame: flipped });
          }
        },
      ],
    ];
    for (const [code, change] of changes) {
      const to = fresh();
      const { listed, ok } = await into(to, await buildArchive(node, {}, change));
      assert.equal(ok, false);
      assert.ok(listed.length > 0);
      for (const line of listed) assert.ok(line.endsWith(` ${code}`), `${line} for ${code}`);
      for (const [path, { content }] of Object.entries(scan(to))) assert.ok(!content?.includes('planted'), path);
    }
  });

  it('cannot make one file of two by giving them the same hard-link group', async () => {
    const to = fresh();
    const node = tree({
      a: file('one', { group: 1 }),
      b: file('two', { group: 1 }),
      c: link('x', { group: 1 }),
      d: tree({ e: file('one', { group: 1 }) }),
    });
    const { ok } = await into(to, await buildArchive(node));
    assert.equal(ok, true);
    const found = scan(to);
    assert.deepEqual([found['a']?.content, found['b']?.content, found['c']?.target], ['one', 'two', 'x']);
    assert.deepEqual([found['a']?.sameAs, found['b']?.sameAs, found['d/e']?.sameAs], ['a', undefined, 'a']);
  });

  it('never gets outside, whatever byte of a directory is wrong, and every refusal has a code', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, fc.nat(), fc.integer({ min: 1, max: 255 }), async (node, at, change) => {
        const builder = new Builder();
        const { body, links } = encodeDirectory({ entries: builder.entries(node.children) });
        const changed = body.slice();
        changed[at % body.length] = (changed[at % body.length] as number) ^ change;
        const to = fresh();
        const archive = await builder.build(builder.seal(KIND.tree, changed, links));
        try {
          await into(to, archive, { workers: 0 });
        } catch (error) {
          assert.ok(error instanceof ArchiveError, String(error));
        }
        rmSync(to, { recursive: true, force: true });
      }),
      { numRuns: 100 },
    );
  });
});

/** A session whose `locate` answers what it likes. */
function lyingEndpoint(
  session: ArchiveSession,
  locate: ArchiveSession['locate'],
): { openSession(): Promise<ArchiveSession> } {
  const lying: ArchiveSession = Object.create(session, { locate: { value: locate }, close: { value: async () => {} } });
  return { openSession: async () => lying };
}

/** The same frame, linking another chunk in the clear than the one it was sealed with. */
function withOtherLink(frame: Uint8Array): Uint8Array {
  const changed = frame.slice();
  changed[ENTRY_LENGTH + 31] = (changed[ENTRY_LENGTH + 31] as number) ^ 1;
  return changed;
}

/** Other content, sealed with the right keys, under the ids of the chunks of this kind. */
function reseal(builder: Builder, kind: Kind, content: Uint8Array): void {
  for (const { kind: each, id } of [...builder.frames.values()])
    if (each === kind) builder.add({ kind, id, frame: builder.crypto.seal(kind, id, content) });
}
