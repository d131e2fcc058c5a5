import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { toHex } from '../format/ids.ts';
import { KIND, type Kind } from '../format/kinds.ts';
import { decodeList } from '../format/list.ts';
import { decodeDirectory, type Segment, type TreeEntry } from '../format/tree.ts';
import { ROW_LENGTH } from '../source/rows.ts';
import { NO_CONTENT } from './content.ts';
import { goneEntries } from './gone.ts';
import { DirectoryRecord, type Entry, encodeRecord } from './record.ts';
import { tinyKeys } from './testing/fixture.ts';
import { TreeChunks } from './tree-chunks.ts';

const crypto = createArchiveCrypto(tinyKeys());
const SMALL = { items: 4, most: 12, bytes: 4000, mask: 3 };

type Chunk = { kind: Kind; links: Uint8Array; body: Uint8Array };

/** Chunks that a writer put, by id; and how to read a directory or list back from them. */
class Chunks {
  readonly byId = new Map<string, Chunk>();
  readonly trees: TreeChunks = new TreeChunks(
    crypto,
    (kind, links, body) => {
      const id = crypto.chunkId(kind, body, links);
      this.byId.set(toHex(id), { kind, links, body });
      return id;
    },
    SMALL,
  );

  entries(id: Uint8Array, kind: Kind): { entries: TreeEntry[]; gone: TreeEntry[]; leaves: number[] } {
    const chunk = this.get(id, kind);
    const { entries, children = [], gone } = decodeDirectory(chunk.links, chunk.body);
    const goneEntries = gone ? this.entries(gone, KIND.gone).entries : [];
    if (entries) return { entries: [...entries], gone: goneEntries, leaves: [entries.length] };
    assert.ok(children.length <= SMALL.most);
    const below = children.map(({ id: child, first }) => {
      const part = this.entries(child, KIND.part);
      assert.deepEqual(part.entries[0]?.name, first);
      return part;
    });
    return {
      entries: below.flatMap((part) => part.entries),
      gone: goneEntries,
      leaves: below.flatMap((part) => part.leaves),
    };
  }

  segments(id: Uint8Array): Segment[] {
    const chunk = this.get(id, KIND.list);
    const { segments, children = [] } = decodeList(chunk.links, chunk.body);
    if (segments) return [...segments];
    let position = 0;
    return children.flatMap(({ id: child, start }) => {
      assert.equal(start, position);
      const below = this.segments(child);
      position += below.reduce((sum, { length }) => sum + length, 0);
      return below;
    });
  }

  private get(id: Uint8Array, kind: Kind): Chunk {
    const chunk = this.byId.get(toHex(id));
    assert.ok(chunk && chunk.kind === kind);
    return chunk;
  }
}

const entryOf = (name: string): TreeEntry => ({
  name: Buffer.from(name),
  type: 'symlink',
  mode: 0o777,
  uid: 0,
  gid: 0,
  mtime: { sec: 1, nsec: 2 },
  target: Buffer.from(name),
});

const hex = fc.constantFrom(...'0123456789abcdef');
const names = fc
  .uniqueArray(fc.string({ unit: hex, minLength: 1, maxLength: 6 }), { maxLength: 400 })
  .map((list) => list.sort());

describe('the chunks of a directory', () => {
  it('hold all its entries in order, cut within their limits', () => {
    fc.assert(
      fc.property(names, names, (live, dead) => {
        const chunks = new Chunks();
        const gone = dead.map((name) => ({ ...entryOf(name), deleted: 5 }));
        const found = chunks.entries(chunks.trees.directory(live.map(entryOf), gone), KIND.tree);
        assert.deepEqual(
          found.entries.map(({ name }) => Buffer.from(name).toString()),
          live,
        );
        assert.equal(found.gone.length, dead.length);
        for (const count of found.leaves) assert.ok(count <= SMALL.most);
        if (live.length <= SMALL.items) assert.equal(found.leaves.length, 1);
      }),
    );
  });

  it('change by few parts when an entry comes or goes', () => {
    fc.assert(
      fc.property(fc.string({ unit: hex, minLength: 7, maxLength: 7 }), (added) => {
        const many = Array.from({ length: 1000 }, (_, i) => hash('sha256', `${i}`).slice(0, 6)).sort();
        const chunks = new Chunks();
        chunks.trees.directory(many.map(entryOf), []);
        const before = chunks.byId.size;
        chunks.trees.directory([...many, added].sort().map(entryOf), []);
        // One leaf, or two when the limit of a part shifts, and one index per level.
        assert.ok(chunks.byId.size - before <= 16, `${chunks.byId.size - before} of ${before} are new`);
      }),
      { numRuns: 20 },
    );
  });

  it('are cut by size where entries are long', () => {
    const chunks = new Chunks();
    const long = ['a', 'b', 'c'].map((name) => ({ ...entryOf(name), target: Buffer.alloc(3000, name) }));
    const { leaves } = chunks.entries(chunks.trees.directory(long, []), KIND.tree);
    assert.deepEqual(leaves, [1, 1, 1]);
  });
});

describe('the weight of entries (format §5.4)', () => {
  const of = (change: Partial<TreeEntry>): TreeEntry => ({ ...entryOf('b'), ...change });
  const file = { type: 'file' as const, size: 0, target: undefined };
  const segment = { id: new Uint8Array(32), offset: 0, length: 1 };
  const cases: [string, TreeEntry, number][] = [
    ['name and target', of({ target: Buffer.alloc(10) }), 65 + 10],
    ['segments', of({ ...file, size: 3, segments: [segment, segment, segment] }), 65 + 3 * 48],
    ['a list', of({ ...file, size: 5000, list: new Uint8Array(32) }), 65 + 48],
    ['a tree', of({ type: 'directory', target: undefined, tree: new Uint8Array(32) }), 65 + 48],
    [
      'extended attributes',
      of({ target: Buffer.alloc(0), xattrs: [[Buffer.from('user.a'), Buffer.alloc(20)]] }),
      65 + 42,
    ],
    [
      'extents',
      of({
        ...file,
        size: 9,
        segments: [{ ...segment, length: 2 }],
        extents: [
          [0, 1],
          [5, 1],
        ],
      }),
      65 + 48 + 36,
    ],
  ];
  for (const [what, entry, weight] of cases) {
    it(`counts ${what}: with a byte more than fits, the directory is cut`, () => {
      const parts = (room: number) => {
        const chunks = new Chunks();
        const first = { ...entryOf('a'), target: Buffer.alloc(SMALL.bytes - weight - 65 + room) };
        return chunks.entries(chunks.trees.directory([first, entry], []), KIND.tree).leaves.length;
      };
      assert.deepEqual([parts(0), parts(1)], [1, 2]);
    });
  }
});

describe('the chunks of a list', () => {
  it('hold all segments in order', () => {
    const segment = fc.record({
      id: fc.nat(300).map((n) => hash('sha256', `${n}`, 'buffer') as Uint8Array),
      offset: fc.nat(1000),
      length: fc.integer({ min: 1, max: 1000 }),
    });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 500 }), (segments) => {
        const chunks = new Chunks();
        const found = chunks.segments(chunks.trees.list(segments));
        assert.deepEqual(
          found.map(({ id, offset, length }) => [toHex(id), offset, length]),
          segments.map(({ id, offset, length }) => [toHex(id), offset, length]),
        );
      }),
    );
  });
});

describe('gone entries', () => {
  type Known = { name: string; type: number; deleted: number };
  const made = ({ name, type, deleted }: Known): Entry => {
    const row = Buffer.alloc(ROW_LENGTH);
    row[0] = type;
    return { name: Buffer.from(name), row, content: NO_CONTENT, group: 3, again: false, deleted };
  };
  const list = (deleted: fc.Arbitrary<number>) =>
    fc
      .uniqueArray(fc.record({ name: fc.constantFrom(...'abcdefgh'), type: fc.nat(2), deleted }), {
        selector: ({ name }) => name,
      })
      .map((all) => all.sort((a, b) => (a.name < b.name ? -1 : 1)));

  it('are what was there and is not, until it is there again or time is up', () => {
    const before = list(fc.constant(0));
    const deleted = list(fc.integer({ min: 1, max: 100 }));
    const down = list(fc.integer({ min: 100, max: 150 }));
    fc.assert(
      fc.property(before, deleted, down, before, fc.nat(100), (was, gone, handed, is, goneBefore) => {
        const record = new DirectoryRecord(encodeRecord(Buffer.alloc(0), was.map(made), gone.map(made)));
        const rules = {
          now: 200,
          complete: true,
          goneBefore,
          excluded: (name: Buffer) => name.toString() === 'h',
          present: () => true,
        };
        const found = goneEntries(record, handed.map(made), is.map(made), rules);
        const same = (a: Known) => (b: Known) => a.name === b.name && a.type === b.type;
        const fresh = was.filter((a) => !is.some(same(a)) && a.name !== 'h').map((a) => ({ ...a, deleted: 200 }));
        const old = gone.filter((a) => goneBefore === 0 || a.deleted >= goneBefore);
        const all = [...fresh, ...[...old, ...handed].filter((a) => !is.some(same(a)))];
        const place = ({ name, type }: Known) => `${name} ${type === 1 ? 'directory' : '-'}`;
        const last = all.filter(
          (a, i) =>
            !all.some((b, j) => place(a) === place(b) && (b.deleted > a.deleted || (b.deleted === a.deleted && j < i))),
        );
        assert.deepEqual(
          found.map((entry) => `${entry.name} ${entry.row[0]} ${entry.deleted}`),
          last.sort((a, b) => (place(a) < place(b) ? -1 : 1)).map((a) => `${a.name} ${a.type} ${a.deleted}`),
        );
        for (const entry of found) if (entry.deleted === 200) assert.equal(entry.group, 0);
      }),
    );
  });
});
