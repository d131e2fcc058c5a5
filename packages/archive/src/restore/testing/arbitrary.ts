// Trees of every kind of entry, for property tests.

import fc from 'fast-check';
import { ABILITIES } from '../../target/testing/abilities.ts';
import { type Attributes, type Children, type DirectoryNode, type Node, sparse, tree } from './archive-builder.ts';

const isRoot = process.geteuid?.() === 0;

const nameBytes = fc
  .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 12 })
  .map((bytes) => String.fromCharCode(...bytes.map((byte) => (byte === 0x2f ? 0x5f : byte))))
  .filter((text) => text !== '.' && text !== '..');
const name = fc.oneof(
  nameBytes,
  fc.constantFrom('a', 'b', 'c.txt', 'dir', 'ä', '.hidden', ' ', '-rf', 'x'.repeat(255)),
);

const time = fc
  .tuple(fc.integer({ min: 1 - 2 ** 31, max: 2 ** 33 }), fc.integer({ min: 0, max: 999_999_999 }))
  .map(([sec, nsec]) => ({ sec, nsec }));

const xattrs = fc
  .uniqueArray(fc.constantFrom('user.a', 'user.b', 'user.holdfast'), { maxLength: 2 })
  .map((names) => names.sort().map((key, index) => [Buffer.from(key), Buffer.from([index, 0, 255])] as const));

/** Others than root can neither give files away nor look into what they may not read. */
const attributes = (readable: number): fc.Arbitrary<Partial<Attributes>> =>
  fc.record(
    {
      mode: fc.integer({ min: 0, max: isRoot ? 0o7777 : 0o1777 }).map((mode) => (isRoot ? mode : mode | readable)),
      mtime: time,
      ...(ABILITIES.owners ? { uid: fc.constantFrom(0, 1, 4_000_000_000), gid: fc.constantFrom(0, 12_345) } : {}),
    },
    { requiredKeys: [] },
  );

const withXattrs = (node: Node, list: Attributes['xattrs']): Node =>
  !ABILITIES.xattrs || list === undefined || list.length === 0 ? node : { ...node, xattrs: list };

const file: fc.Arbitrary<Node> = fc
  .tuple(fc.uint8Array({ maxLength: 400 }), attributes(0o400), xattrs)
  .map(([content, rest, list]) => withXattrs({ type: 'file', content, ...rest }, list));

const holey: fc.Arbitrary<Node> = fc
  .tuple(fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }), attributes(0o400))
  .map(([blocks, rest]) =>
    sparse(
      655_360,
      blocks.sort().map((block) => [block * 131_072, `data of ${block}`]),
      rest,
    ),
  );

const symlink: fc.Arbitrary<Node> = fc
  .tuple(nameBytes, time)
  .map(([target, mtime]) => ({ type: 'symlink', target: Buffer.from(target, 'latin1'), mtime }));

const special: fc.Arbitrary<Node> = fc
  .tuple(
    fc.constantFrom<'fifo' | 'socket' | 'char' | 'block'>(
      'fifo',
      'socket',
      ...(ABILITIES.devices ? (['char', 'block'] as const) : []),
    ),
    attributes(0o400),
  )
  .map(([type, rest]) =>
    type === 'char' || type === 'block' ? { type, device: [1, 300], ...rest } : { type, ...rest },
  );

/** Stands for one of the files that have several names, until `linked` puts it there. */
type Shared = { readonly shared: number };
type Draft = Node | Shared | { readonly draft: Readonly<Record<string, Draft>>; readonly rest: Partial<Attributes> };

const drafts = fc.letrec<{ node: Draft; children: Record<string, Draft> }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
    { weight: 5, arbitrary: file },
    { weight: 1, arbitrary: holey },
    { weight: 1, arbitrary: symlink },
    { weight: 1, arbitrary: special },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 }).map((shared) => ({ shared })) },
    {
      weight: 3,
      arbitrary: fc.tuple(tie('children'), attributes(0o700)).map(([draft, rest]) => ({ draft, rest })),
    },
  ),
  children: fc.dictionary(name, tie('node'), { maxKeys: 30, noNullPrototype: true }),
}));

export const anyTree: fc.Arbitrary<DirectoryNode> = fc
  .tuple(drafts.children, fc.array(fc.oneof(file, symlink), { minLength: 3, maxLength: 3 }))
  .map(([draft, shared]) => tree(linked(draft, shared)));

function linked(drafts: Readonly<Record<string, Draft>>, shared: readonly Node[]): Children {
  return Object.fromEntries(
    Object.entries(drafts).map(([key, draft]): [string, Node] => {
      if ('shared' in draft) return [key, { ...(shared[draft.shared] as Node), group: draft.shared + 1 }];
      return [key, 'draft' in draft ? tree(linked(draft.draft, shared), draft.rest) : draft];
    }),
  );
}
