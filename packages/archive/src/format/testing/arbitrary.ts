// Arbitrary values of every record, for property tests.

import fc from 'fast-check';
import type { CborValue } from '../cbor.ts';
import type { ChunkEntry } from '../entry.ts';
import { MAX_STORED_LENGTH, MIN_STORED_LENGTH } from '../entry.ts';
import { compareBytes, toHex } from '../ids.ts';
import { hasLinks, KIND, type Kind } from '../kinds.ts';
import type { ListBody } from '../list.ts';
import type { DirectoryBody, Segment, TreeEntry } from '../tree.ts';

export const bytes = (minLength: number, maxLength = minLength): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });

const id = (): fc.Arbitrary<Uint8Array> => fc.oneof(bytes(32), fc.constantFrom(...SAME_IDS));
/** A few that come again and again, so that links repeat. */
const SAME_IDS = [0, 1, 127, 255].map((fill) => new Uint8Array(32).fill(fill));

export function ascending(arrays: readonly Uint8Array[]): Uint8Array[] {
  const unique = new Map(arrays.map((array) => [toHex(array), array]));
  return [...unique.values()].sort(compareBytes);
}

export const kind = (): fc.Arbitrary<Kind> => fc.constantFrom(...Object.values(KIND).filter((k) => k !== KIND.file));

export const links = (): fc.Arbitrary<Uint8Array> =>
  fc.array(id(), { maxLength: 8 }).map((ids) => new Uint8Array(Buffer.concat(ascending(ids))));

export const chunkEntry = (): fc.Arbitrary<ChunkEntry> =>
  fc.tuple(kind(), links()).chain(([k, l]) =>
    fc.record({
      kind: fc.constant(k),
      generation: fc.integer({ min: 1, max: 0xffff }),
      id: bytes(32),
      storedLength: fc.integer({ min: MIN_STORED_LENGTH, max: MAX_STORED_LENGTH }),
      links: fc.constant(hasLinks(k) ? l : new Uint8Array(0)),
    }),
  );

const safe = (min = 0, max = Number.MAX_SAFE_INTEGER): fc.Arbitrary<number> =>
  fc
    .oneof(
      fc.integer({ min: -300, max: 300 }),
      fc.maxSafeInteger(),
      fc.constantFrom(0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32),
    )
    .map((n) => Math.min(Math.max(n, min), max));

export const cborValue: fc.Memo<CborValue> = fc.memo((depth) => {
  const leaf = fc.oneof(
    safe(-Number.MAX_SAFE_INTEGER),
    fc.string({ unit: 'grapheme' }),
    bytes(0, 40),
    fc.boolean(),
    fc.constant(null),
  );
  if (depth <= 1) return leaf as fc.Arbitrary<CborValue>;
  const keys = fc.uniqueArray(safe(), { maxLength: 5 }).map((numbers) => numbers.sort((a, b) => a - b));
  return fc.oneof(
    leaf,
    fc.array(cborValue(depth - 1), { maxLength: 5 }),
    fc
      .tuple(keys, fc.array(cborValue(depth - 1), { minLength: 5, maxLength: 5 }))
      .map(([k, values]) => new Map(k.map((key, i) => [key, values[i] as CborValue]))),
  ) as fc.Arbitrary<CborValue>;
});

export const name = (): fc.Arbitrary<Uint8Array> =>
  fc
    .oneof(
      bytes(1, 12),
      fc.string({ minLength: 1, maxLength: 8 }).map((s) => new Uint8Array(Buffer.from(s))),
    )
    .map((b) => b.map((byte) => (byte === 0 || byte === 0x2f || byte === 0x2e ? 0x61 : byte)));

const segment = (): fc.Arbitrary<Segment> =>
  fc.record({
    id: id(),
    offset: fc.integer({ min: 0, max: 4_000_000 }),
    length: fc.integer({ min: 1, max: 4_000_000 }),
  });

const common = () =>
  fc.record(
    {
      name: name(),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: safe(0, 0xffffffff),
      gid: safe(0, 0xffffffff),
      mtime: fc.record({ sec: safe(-Number.MAX_SAFE_INTEGER), nsec: fc.integer({ min: 0, max: 999_999_999 }) }),
      xattrs: fc
        .array(bytes(1, 9), { minLength: 1, maxLength: 3 })
        .map((names) => ascending(names).map((n, i): [Uint8Array, Uint8Array] => [n, new Uint8Array(i)])),
      group: fc.integer({ min: 1, max: 0xffffffff }),
      deleted: safe(),
    },
    { requiredKeys: ['name', 'mode', 'uid', 'gid', 'mtime'] },
  );

/** Holes before each run of data, and one at the end. */
function sparse(segments: readonly Segment[], holes: readonly number[]): Pick<TreeEntry, 'extents' | 'size'> {
  const extents: [number, number][] = [];
  let at = 0;
  segments.forEach((s, i) => {
    at += holes[i % holes.length] ?? 0;
    extents.push([at, s.length]);
    at += s.length;
  });
  return { extents, size: at + (holes[0] ?? 0) };
}

const fileContent = (): fc.Arbitrary<Partial<TreeEntry>> =>
  fc
    .tuple(fc.array(segment(), { maxLength: 6 }), fc.array(safe(0, 1e9), { maxLength: 3 }), bytes(16), fc.boolean())
    .map(([segments, holes, fileId, withId]) => {
      const held = segments.reduce((sum, s) => sum + s.length, 0);
      return {
        size: held,
        ...(segments.length > 0 ? { segments } : {}),
        ...(holes.length > 0 ? sparse(segments, holes) : {}),
        ...(withId && held > 0 && held < 131_072 ? { fileId } : {}),
      };
    });

const special = (): fc.Arbitrary<Partial<TreeEntry>> =>
  fc.oneof(
    fileContent().map((content) => ({ type: 'file' as const, ...content })),
    fc.record({ type: fc.constant('file' as const), size: safe(2000), list: id() }),
    fc.record({ type: fc.constant('directory' as const), tree: id() }),
    fc.record({ type: fc.constant('symlink' as const), target: bytes(0, 20) }),
    fc.record({ type: fc.constantFrom('fifo' as const, 'socket' as const) }),
    fc.record({
      type: fc.constantFrom('char' as const, 'block' as const),
      device: fc.tuple(safe(0, 0xffffffff), safe(0, 0xffffffff)),
    }),
  );

export const treeEntry = (): fc.Arbitrary<TreeEntry> =>
  fc.tuple(common(), special()).map(([{ group, ...a }, b]) => {
    const linked = group === undefined || b.type === 'directory' ? {} : { group };
    return { ...a, ...linked, ...b } as TreeEntry;
  });

function byName<T>(items: readonly T[], nameOf: (item: T) => Uint8Array): T[] {
  const unique = new Map(items.map((item) => [toHex(nameOf(item)), item]));
  return [...unique.values()].sort((a, b) => compareBytes(nameOf(a), nameOf(b)));
}

/** Sometimes a directory of the same name behind what is gone (format §5.5). */
const withTwins = (entries: readonly TreeEntry[], tree: Uint8Array, pick: number): TreeEntry[] =>
  entries.flatMap((entry, i) => {
    if (entry.deleted === undefined || entry.type === 'directory' || (i + pick) % 2 === 0) return [entry];
    const { name, mode, uid, gid, mtime } = entry;
    return [entry, { name, type: 'directory', mode, uid, gid, mtime, tree, deleted: pick }];
  });

export const directoryBody = (): fc.Arbitrary<DirectoryBody> =>
  fc
    .tuple(
      fc.oneof(
        fc.tuple(fc.array(treeEntry(), { maxLength: 12 }), id(), fc.nat(9)).map(([entries, tree, pick]) => ({
          entries: withTwins(
            byName(entries, (e) => e.name),
            tree,
            pick,
          ),
        })),
        fc
          .array(fc.record({ first: name(), id: id() }), { minLength: 1, maxLength: 12 })
          .map((children) => ({ children: byName(children, (c) => c.first) })),
      ),
      fc.option(id(), { nil: undefined }),
    )
    .map(([body, gone]) => (gone === undefined ? body : { ...body, gone }));

export const listBody = (): fc.Arbitrary<ListBody> =>
  fc.oneof(
    fc.array(segment(), { minLength: 1, maxLength: 30 }).map((segments) => ({ segments })),
    fc.array(fc.tuple(id(), fc.integer({ min: 1, max: 1e9 })), { minLength: 1, maxLength: 30 }).map((children) => {
      let start = 0;
      return {
        children: children.map(([childId, length]) => {
          const child = { start, id: childId };
          start += length;
          return child;
        }),
      };
    }),
  );

const LIES = [0, 0x7f, 0xff];

/** `original` with a few bytes changed, cut out, put in or doubled, or with numbers of any width that lie. */
export const mutated = (original: Uint8Array): fc.Arbitrary<Uint8Array> =>
  fc
    .array(
      fc.tuple(
        fc.nat(Math.max(original.length - 1, 0)),
        fc.nat(255),
        fc.constantFrom('set', 'cut', 'insert', 'end', 'lie', 'again'),
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map((changes) => {
      let out = original;
      for (const [at, byte, how] of changes) {
        if (how === 'set') out = out.with(Math.min(at, Math.max(out.length - 1, 0)), byte);
        else if (how === 'cut') out = new Uint8Array([...out.subarray(0, at), ...out.subarray(at + 1 + (byte % 8))]);
        else if (how === 'insert') out = new Uint8Array([...out.subarray(0, at), byte, ...out.subarray(at)]);
        else if (how === 'lie')
          out = new Uint8Array(out).fill(LIES[byte % 3] as number, at, at + 2 ** ((byte >> 2) % 4));
        else if (how === 'again') out = new Uint8Array([...out.subarray(0, at + byte), ...out.subarray(at)]);
        else out = out.slice(0, at);
        if (out.length === 0) return out;
      }
      return out;
    });
