import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encode } from './cbor.ts';
import { KIND, type Kind } from './kinds.ts';
import { directoryBody } from './testing/arbitrary.ts';
import { golden, goldenValue, plain } from './testing/golden.ts';
import { type DirectoryBody, decodeDirectory, encodeDirectory, type TreeEntry } from './tree.ts';

type GoldenEntry = Omit<TreeEntry, 'mtime' | 'segments'> & {
  mtime: [number, number];
  segments?: [Uint8Array, number, number][];
};

/** values.json has times and segments as arrays. */
function expected(name: string): DirectoryBody {
  const value = goldenValue<{ entries?: GoldenEntry[]; children?: DirectoryBody['children']; gone?: Uint8Array }>(name);
  if (value.entries === undefined) return value as DirectoryBody;
  const entries = value.entries.map(({ mtime, segments, ...rest }) => ({
    ...rest,
    mtime: { sec: mtime[0], nsec: mtime[1] },
    ...(segments && { segments: segments.map(([id, offset, length]) => ({ id, offset, length })) }),
  }));
  return { ...value, entries };
}

const ID = new Uint8Array(32).fill(7);
const name = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const FILE: TreeEntry = {
  name: name('a'),
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { sec: 0, nsec: 0 },
  size: 10,
  segments: [{ id: ID, offset: 0, length: 10 }],
};
const { size: _, segments: __, ...BARE } = FILE;

describe('directory body (format §5)', () => {
  for (const [file, kind] of [
    ['tree-leaf', KIND.tree],
    ['tree-empty', KIND.tree],
    ['tree-index', KIND.tree],
    ['part-leaf', KIND.part],
    ['gone-leaf', KIND.gone],
  ] as const) {
    it(`reads the golden ${file} and writes it again`, () => {
      const [links, body] = [golden(`${file}.links`), golden(`${file}.body`)];
      const decoded = decodeDirectory(links, body, kind);
      assert.deepEqual(plain(decoded), plain(expected(`${file}.body`)));
      assert.deepEqual(encodeDirectory(decoded), { links, body });
    });
  }

  it('gives any directory back', () => {
    fc.assert(
      fc.property(directoryBody(), (directory) => {
        const { links, body } = encodeDirectory(directory);
        assert.deepEqual(plain(decodeDirectory(links, body)), plain(directory));
      }),
      { numRuns: 500 },
    );
  });

  it('names each linked id once, sorted, whatever the entries share', () => {
    fc.assert(
      fc.property(directoryBody(), (directory) => {
        const ids = new Set<string>(directory.gone === undefined ? [] : [directory.gone.toHex()]);
        for (const e of directory.entries ?? []) {
          for (const id of [e.list, e.tree, ...(e.segments ?? []).map((s) => s.id)]) if (id) ids.add(id.toHex());
        }
        for (const { id } of directory.children ?? []) ids.add(id.toHex());
        assert.equal(encodeDirectory(directory).links.toHex(), [...ids].sort().join(''));
      }),
    );
  });
});

describe('directory entries that cannot be', () => {
  const cases: [string, Partial<Record<keyof TreeEntry, unknown>>][] = [
    ['an empty name', { name: name('') }],
    ['the name .', { name: name('.') }],
    ['the name ..', { name: name('..') }],
    ['a name with a slash', { name: name('a/b') }],
    ['a name with a zero byte', { name: name('a\0') }],
    ['a mode of 13 bits', { mode: 0o10000 }],
    ['an owner over 32 bits', { uid: 2 ** 32 }],
    ['a billion nanoseconds', { mtime: { sec: 0, nsec: 1e9 } }],
    ['hard-link group 0', { group: 0 }],
    [
      'a directory in a hard-link group',
      { type: 'directory', size: undefined, segments: undefined, tree: ID, group: 1 },
    ],
    ['a file without a size', { size: undefined }],
    ['segments that are shorter than the file', { size: 11 }],
    ['a segment of no length', { size: 0, segments: [{ id: ID, offset: 0, length: 0 }] }],
    ['no segments in an array', { size: 0, segments: [] }],
    ['a segment past the largest chunk', { segments: [{ id: ID, offset: 8_388_600, length: 10 }] }],
    ['segments beside a list', { list: ID }],
    ['a list for a file of few bytes', { segments: undefined, list: ID }],
    [
      'a file id of a large file',
      { size: 131_072, segments: [{ id: ID, offset: 0, length: 131_072 }], fileId: ID.subarray(16) },
    ],
    ['a file id of an empty file', { size: 0, segments: undefined, fileId: ID.subarray(16) }],
    ['a tree of a file', { tree: ID }],
    ['a target of a file', { target: name('x') }],
    ['a device number of a file', { device: [1, 2] }],
    [
      'extents that overlap',
      {
        size: 100,
        extents: [
          [0, 5],
          [4, 5],
        ],
      },
    ],
    [
      'extents that descend',
      {
        size: 100,
        extents: [
          [10, 5],
          [0, 5],
        ],
      },
    ],
    ['extents past the size', { size: 10, extents: [[5, 10]] }],
    [
      'an empty extent',
      {
        size: 10,
        extents: [
          [0, 10],
          [10, 0],
        ],
      },
    ],
    ['extents that hold more than the segments', { size: 100, extents: [[0, 20]] }],
    ['no extended attributes in an array', { xattrs: [] }],
    [
      'extended attributes that do not ascend',
      {
        xattrs: [
          [name('b'), name('')],
          [name('a'), name('')],
        ],
      },
    ],
    ['an extended attribute without a name', { xattrs: [[name(''), name('')]] }],
    ['a directory without a tree', { ...BARE, type: 'directory', size: undefined, segments: undefined }],
    ['a directory with a size', { type: 'directory', tree: ID, segments: undefined }],
    ['a symbolic link without a target', { type: 'symlink', size: undefined, segments: undefined }],
    ['a device without numbers', { type: 'char', size: undefined, segments: undefined }],
    ['a FIFO with extents', { type: 'fifo', size: undefined, segments: undefined, extents: [] }],
  ];
  for (const [what, change] of cases) {
    it(`does not write ${what}`, () =>
      assert.throws(() => encodeDirectory({ entries: [{ ...FILE, ...change } as TreeEntry] }), {
        code: 'value_invalid',
      }));
  }

  it('does not write names out of order or twice', () => {
    const b = { ...FILE, name: name('b') };
    for (const entries of [
      [b, FILE],
      [FILE, FILE],
    ])
      assert.throws(() => encodeDirectory({ entries }), { code: 'value_invalid' });
    assert.throws(
      () =>
        encodeDirectory({
          children: [
            { first: name('b'), id: ID },
            { first: name('a'), id: ID },
          ],
        }),
      {
        code: 'value_invalid',
      },
    );
  });

  it('does not write what is neither leaf nor index, or both', () => {
    for (const body of [{}, { entries: [], children: [{ first: name('a'), id: ID }] }, { children: [] }])
      assert.throws(() => encodeDirectory(body), { code: 'value_invalid' });
  });
});

describe('directory bytes that a hostile writer could make', () => {
  const entry = (...more: [number, unknown][]): Map<number, unknown> =>
    new Map<number, unknown>([[0, name('a')], [1, 3], [2, 0], [3, 0], [4, 0], [5, [0, 0]], ...more]);
  const body = (...entries: unknown[]): Map<number, unknown> =>
    new Map<number, unknown>([
      [0, 1],
      [1, entries],
    ]);
  const read = (value: unknown, links = new Uint8Array(0), kind?: Kind) =>
    decodeDirectory(links, encode(value as Parameters<typeof encode>[0]), kind);

  it('reads an entry with a key from 128 on and leaves it out', () => {
    const read128 = read(body(entry([128, [new Map([[5, 'later']])]])));
    assert.deepEqual(Object.keys(read128.entries?.[0] ?? {}), ['name', 'type', 'mode', 'uid', 'gid', 'mtime']);
    assert.deepEqual(
      read(
        new Map<number, unknown>([
          [0, 1],
          [1, []],
          [200, null],
        ]),
      ),
      { entries: [] },
    );
  });

  const refused: [string, () => unknown][] = [
    ['an unknown key below 128 in an entry', () => read(body(entry([19, 0])))],
    [
      'an unknown key below 128 in the body',
      () =>
        read(
          new Map<number, unknown>([
            [0, 1],
            [1, []],
            [4, 0],
          ]),
        ),
    ],
    ['a missing version', () => read(new Map([[1, []]]))],
    [
      'an entry that lacks a key all have',
      () =>
        read(
          body(
            new Map([
              [0, name('a')],
              [1, 3],
            ] as [number, unknown][]),
          ),
        ),
    ],
    ['an unknown type', () => read(body(new Map([...entry()].map(([k, v]) => [k, k === 1 ? 7 : v]))))],
    ['a link that is not there', () => read(body(entry([10, 0])))],
    ['links that no entry uses', () => read(body(), ID)],
    ['links that are no whole ids', () => read(body(), ID.subarray(1))],
    ['links that repeat', () => read(body(), new Uint8Array(64))],
    ['a live entry with a time of deletion in a tree', () => read(body(entry([18, 5])), undefined, KIND.tree)],
    ['an entry without a time of deletion in a gone chunk', () => read(body(entry()), undefined, KIND.gone)],
    [
      'a gone chunk that links a gone chunk',
      () =>
        read(
          new Map<number, unknown>([
            [0, 1],
            [1, []],
            [3, 0],
          ]),
          ID,
          KIND.gone,
        ),
    ],
    ['segments cut in two', () => read(body(entry([7, [0, 1]])), ID)],
    ['extents cut in two', () => read(body(entry([13, [0]])))],
    ['a time of one number', () => read(body(new Map([...entry()].map(([k, v]) => [k, k === 5 ? [0] : v]))))],
    [
      'leaf and index at once',
      () =>
        read(
          new Map<number, unknown>([
            [0, 1],
            [1, []],
            [2, [[name('a'), 0]]],
          ]),
          ID,
        ),
    ],
    ['bytes after the body', () => decodeDirectory(new Uint8Array(0), Uint8Array.of(...encode(body() as never), 0))],
  ];
  for (const [what, go] of refused) it(`refuses ${what}`, () => assert.throws(go, { code: 'format_invalid' }));

  it('refuses a later version with a code that says to upgrade', () => {
    assert.throws(
      () =>
        read(
          new Map<number, unknown>([
            [0, 2],
            [9, 9],
          ]),
        ),
      { code: 'unknown_version' },
    );
  });
});
