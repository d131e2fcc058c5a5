/**
 * Directories and lists of segments as chunks (format §5.1, §5.4): small ones as one, large ones cut into parts after names (or ids) that a keyed
 * hash chooses, so that one change makes one part new.
 */
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import { KIND, type Kind } from '../format/kinds.ts';
import { encodeList } from '../format/list.ts';
import { type Child, type DirectoryBody, encodeDirectory, type Segment, type TreeEntry } from '../format/tree.ts';

/** format §5.4 */
export type CutLimits = {
  /** More items than this are cut. */
  readonly items: number;
  /** A part ends here at the latest. */
  readonly most: number;
  /** Bytes of entries with their links: more are cut, and a part ends here at the latest. */
  readonly bytes: number;
  /** Bits of the border hash that must be zero. */
  readonly mask: number;
};
export const CUT_LIMITS: CutLimits = { items: 1024, most: 4096, bytes: 2 * 1024 * 1024, mask: 0x1ff };

/** Stores a chunk unless it is there, and returns its id. */
export type PutChunk = (kind: Kind, links: Uint8Array, body: Uint8Array) => Uint8Array;

/** Fixed numbers of an entry, and what a link takes: its id and its place in the body. */
const ENTRY_BYTES = 64;
const SEGMENT_BYTES = 48;

export class TreeChunks {
  private readonly crypto: Pick<ArchiveCrypto, 'border'>;
  private readonly put: PutChunk;
  private readonly limits: CutLimits;

  constructor(crypto: Pick<ArchiveCrypto, 'border'>, put: PutChunk, limits: CutLimits = CUT_LIMITS) {
    this.crypto = crypto;
    this.put = put;
    this.limits = limits;
  }

  /** The tree of a directory; both sorted by name. */
  directory(live: readonly TreeEntry[], gone: readonly TreeEntry[]): Uint8Array {
    const goneId = gone.length > 0 ? this.entries(KIND.gone, gone, undefined) : undefined;
    return this.entries(KIND.tree, live, goneId);
  }

  /** The top list of a file whose segments do not fit into its entry. */
  list(segments: readonly Segment[]): Uint8Array {
    const leaves = this.cut(segments, { label: 'holdfast list', level: 0, key: (s) => s.id, size: () => 0 });
    let children = leaves.map((leaf) => ({ id: this.putList({ segments: leaf }), length: lengthOf(leaf) }));
    for (let level = 1; children.length > this.limits.items; level++) {
      const groups = this.cut(children, { label: 'holdfast list', level, key: (c) => c.id, size: () => 0 });
      children = groups.map((group) => ({ id: this.putIndex(group), length: lengthOf(group) }));
    }
    const [only] = children;
    return children.length === 1 && only ? only.id : this.putIndex(children);
  }

  private entries(kind: Kind, entries: readonly TreeEntry[], gone: Uint8Array | undefined): Uint8Array {
    const above = gone === undefined ? {} : { gone };
    if (!this.isLarge(entries)) return this.putDirectory(kind, { entries, ...above });
    const parts = this.cut(entries, { label: PART, level: 0, key: (e) => e.name, size: sizeOf, joined: sameName });
    let children: Child[] = parts.map((part) => ({
      first: (part[0] as TreeEntry).name,
      id: this.putDirectory(KIND.part, { entries: part }),
    }));
    for (let level = 1; children.length > this.limits.items; level++) {
      const groups = this.cut(children, { label: PART, level, key: (c) => c.first, size: () => 0 });
      children = groups.map((group) => ({
        first: (group[0] as Child).first,
        id: this.putDirectory(KIND.part, { children: group }),
      }));
    }
    return this.putDirectory(kind, { children, ...above });
  }

  private isLarge(entries: readonly TreeEntry[]): boolean {
    if (entries.length > this.limits.items) return true;
    let bytes = 0;
    for (const entry of entries) bytes += sizeOf(entry);
    return bytes > this.limits.bytes;
  }

  private cut<T>(
    items: readonly T[],
    by: {
      label: string;
      level: number;
      key(item: T): Uint8Array;
      size(item: T): number;
      /** Are these two never cut apart? */
      joined?: (before: T, item: T) => boolean;
    },
  ): T[][] {
    const { most, bytes, mask } = this.limits;
    const groups: T[][] = [];
    let group: T[] = [];
    let held = 0;
    for (const [i, item] of items.entries()) {
      const size = by.size(item);
      const before = items[i - 1];
      const joined = before !== undefined && by.joined?.(before, item) === true;
      if (group.length > 0 && held + size > bytes && !joined) {
        groups.push(group);
        group = [];
        held = 0;
      }
      group.push(item);
      held += size;
      const next = items[i + 1];
      if (next !== undefined && by.joined?.(item, next)) continue;
      if (group.length < most && (this.crypto.border(by.label, by.level, by.key(item)) & mask) !== 0) continue;
      groups.push(group);
      group = [];
      held = 0;
    }
    if (group.length > 0) groups.push(group);
    return groups;
  }

  private putDirectory(kind: Kind, directory: DirectoryBody): Uint8Array {
    const { links, body } = encodeDirectory(directory);
    return this.put(kind, links, body);
  }

  private putIndex(group: readonly { readonly id: Uint8Array; readonly length: number }[]): Uint8Array {
    let start = 0;
    const children = group.map(({ id, length }) => {
      start += length;
      return { start: start - length, id };
    });
    return this.putList({ children });
  }

  private putList(list: Parameters<typeof encodeList>[0]): Uint8Array {
    const { links, body } = encodeList(list);
    return this.put(KIND.list, links, body);
  }
}

const PART = 'holdfast part';

/** format §5.5 */
const sameName = (a: TreeEntry, b: TreeEntry): boolean => Buffer.compare(a.name, b.name) === 0;

const lengthOf = (items: readonly { readonly length: number }[]): number => {
  let sum = 0;
  for (const { length } of items) sum += length;
  return sum;
};

function sizeOf({ name, target, segments, tree, list, xattrs, extents }: TreeEntry): number {
  const links = (segments === undefined ? 0 : segments.length) + (tree || list ? 1 : 0);
  let bytes = ENTRY_BYTES + name.length + SEGMENT_BYTES * links;
  if (target) bytes += target.length;
  if (xattrs) bytes += xattrs.reduce((sum, [key, value]) => sum + key.length + value.length + 16, 0);
  if (extents) bytes += 18 * extents.length;
  return bytes;
}
