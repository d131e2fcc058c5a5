// Archives made of a literal, for tests of what reads them: real keys, real frames, real packs, in a store in memory.
//
//   const archive = await buildArchive(tree({ 'a.txt': 'x', sub: tree({ link: link('../a.txt') }) }));
//   archive.root, archive.keys, archive.endpoint
//
// The literal is also what a restore is compared with (see scan.ts). Files are laid out as a backup may lay them out: small ones
// joined in bundles that are cut anywhere, large ones in pieces, many segments in lists, large directories in parts; the sizes at
// which that happens are small by default, so that small trees meet every case.

import { createHash, hash, randomFillSync } from 'node:crypto';
import { createArchiveCrypto } from '../../crypto-node/archive-crypto.ts';
import { openLocalEndpoint } from '../../endpoint/local/local-endpoint.ts';
import type { ArchiveCrypto } from '../../format/archive-crypto.ts';
import { concatBytes } from '../../format/bytes.ts';
import { compareBytes, toHex } from '../../format/ids.ts';
import type { ArchiveKeys } from '../../format/keys.ts';
import { KIND, type Kind } from '../../format/kinds.ts';
import { encodeList } from '../../format/list.ts';
import { PackWriter } from '../../format/pack.ts';
import { encodeDirectory, type Segment, type TreeEntry } from '../../format/tree.ts';
import { generateArchiveKeys } from '../../keys/archive-keys.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import { packName } from '../../store/layout.ts';
import { MemoryStore } from '../../store/memory.ts';

export type Attributes = Pick<TreeEntry, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs' | 'group' | 'deleted'>;

export type Node = Partial<Attributes> &
  (
    | { readonly type: 'file'; readonly content: Uint8Array; readonly extents?: TreeEntry['extents'] }
    | { readonly type: 'directory'; readonly children: Children; readonly gone?: Children }
    | { readonly type: 'symlink'; readonly target: Uint8Array }
    | { readonly type: 'fifo' | 'socket' }
    | { readonly type: 'char' | 'block'; readonly device: readonly [number, number] }
  );
/** By name, one character per byte. */
export type Children = { readonly [name: string]: Node };
export type DirectoryNode = Extract<Node, { type: 'directory' }>;

type Literal = { readonly [name: string]: Node | string | Uint8Array };

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

export function tree(
  children: Literal,
  attributes: Partial<Attributes> & { readonly gone?: Literal } = {},
): DirectoryNode {
  const { gone, ...rest } = attributes;
  const all = { type: 'directory', ...rest, children: nodesOf(children) } as const;
  return gone === undefined ? all : { ...all, gone: nodesOf(gone) };
}

const nodesOf = (literal: Literal): Children =>
  Object.fromEntries(
    Object.entries(literal).map(([name, node]) => [
      name,
      typeof node === 'string' || node instanceof Uint8Array ? file(node) : node,
    ]),
  );

export const file = (content: string | Uint8Array, attributes: Partial<Attributes> = {}): Node => ({
  type: 'file',
  ...attributes,
  content: typeof content === 'string' ? new TextEncoder().encode(content) : content,
});

/** A file of `size` bytes that holds `pieces` at their offsets and nothing else. */
export function sparse(
  size: number,
  pieces: readonly (readonly [number, string])[],
  attributes: Partial<Attributes> = {},
): Node {
  const content = new Uint8Array(size);
  for (const [offset, text] of pieces) content.set(latin1(text), offset);
  return { type: 'file', ...attributes, content, extents: pieces.map(([offset, text]) => [offset, text.length]) };
}

export const link = (target: string, attributes: Partial<Attributes> = {}): Node => ({
  type: 'symlink',
  ...attributes,
  target: latin1(target),
});

export const DEFAULTS: Attributes = {
  mode: 0o644,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  mtime: { sec: 1_500_000_000, nsec: 500_000_001 },
};

/** What the node's entry says, with the defaults of its type. */
export function attributesOf(node: Node): Attributes {
  const mode = node.type === 'directory' ? 0o755 : node.type === 'symlink' ? 0o777 : DEFAULTS.mode;
  const { uid, gid, mtime } = DEFAULTS;
  return { mode, uid, gid, mtime, ...picked(node) };
}

function picked(node: Node): Partial<Attributes> {
  const keys = ['mode', 'uid', 'gid', 'mtime', 'xattrs', 'group', 'deleted'] as const;
  return Object.fromEntries(keys.flatMap((key) => (node[key] === undefined ? [] : [[key, node[key]]])));
}

export type Layout = {
  /** Files below this many bytes go into bundles. */
  readonly small: number;
  readonly bundle: number;
  readonly piece: number;
  /** More segments than this go into lists of so many. */
  readonly list: number;
  /** A directory of more entries is cut into parts of so many, their index into indexes of so many. */
  readonly part: number;
  readonly packSize: number;
};

const LAYOUT: Layout = { small: 64, bundle: 50, piece: 100, list: 1024, part: 20, packSize: 2000 };

export type Frame = { readonly kind: Kind; readonly id: Uint8Array; readonly frame: Uint8Array };

export type BuiltArchive = {
  readonly keys: ArchiveKeys;
  readonly crypto: ArchiveCrypto;
  readonly root: Uint8Array;
  readonly frames: readonly Frame[];
  readonly store: BlobStore;
  readonly endpoint: Awaited<ReturnType<typeof openLocalEndpoint>>;
};

/** `tamper` may change the frames before they are packed. */
export async function buildArchive(
  root: DirectoryNode,
  layout: Partial<Layout> = {},
  tamper: (builder: Builder) => void = () => {},
): Promise<BuiltArchive> {
  const builder = new Builder(generateArchiveKeys(randomFillSync), { ...LAYOUT, ...layout });
  const id = builder.directory(root);
  tamper(builder);
  return builder.build(id);
}

export class Builder {
  readonly keys: ArchiveKeys;
  readonly crypto: ArchiveCrypto;
  readonly frames = new Map<string, Frame>();
  private readonly layout: Layout;

  constructor(keys: ArchiveKeys = generateArchiveKeys(randomFillSync), layout: Layout = LAYOUT) {
    this.keys = keys;
    this.crypto = createArchiveCrypto(keys);
    this.layout = layout;
  }

  seal(kind: Kind, plaintext: Uint8Array, links?: Uint8Array): Uint8Array {
    const id = this.crypto.chunkId(kind, plaintext, links);
    this.add({ kind, id, frame: this.crypto.seal(kind, id, plaintext, links) });
    return id;
  }

  /** A frame as it is, which may be no good. */
  add(frame: Frame): void {
    this.frames.set(toHex(frame.id), frame);
  }

  directory(node: DirectoryNode): Uint8Array {
    const gone = node.gone === undefined ? undefined : this.top(KIND.gone, this.entries(node.gone));
    return this.top(KIND.tree, this.entries(node.children), gone);
  }

  entries(children: Children): TreeEntry[] {
    const small = this.bundle(Object.values(children).flatMap((node) => (this.isSmall(node) ? [dataOf(node)] : [])));
    return Object.entries(children)
      .map(([name, node]) => this.entry(latin1(name), node, this.isSmall(node) ? (small.shift() ?? []) : []))
      .sort((a, b) => compareBytes(a.name, b.name));
  }

  private isSmall(node: Node): boolean {
    return node.type === 'file' && dataOf(node).length < this.layout.small;
  }

  private entry(name: Uint8Array, node: Node, small: Segment[]): TreeEntry {
    const common = { name, ...attributesOf(node) };
    switch (node.type) {
      case 'file': {
        const content = this.isSmall(node) ? small : this.pieces(dataOf(node));
        const { extents } = node;
        const size = node.content.length;
        const list = content.length > this.layout.list ? { list: this.list(content) } : null;
        const segments = content.length === 0 ? {} : (list ?? { segments: content });
        const fileId = this.isSmall(node) && small.length > 0 ? { fileId: this.crypto.fileId(dataOf(node)) } : {};
        return { ...common, type: 'file', size, ...segments, ...fileId, ...(extents === undefined ? {} : { extents }) };
      }
      case 'directory':
        return { ...common, type: 'directory', tree: this.directory(node) };
      case 'symlink':
        return { ...common, type: 'symlink', target: node.target };
      case 'char':
      case 'block':
        return { ...common, type: node.type, device: node.device };
      default:
        return { ...common, type: node.type };
    }
  }

  /** Joins the contents, cuts the whole, and answers the segments of each. */
  private bundle(contents: readonly Uint8Array[]): Segment[][] {
    const whole = concatBytes(...contents);
    const size = this.layout.bundle;
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < whole.length; at += size) chunks.push(this.seal(KIND.bundle, whole.slice(at, at + size)));
    let from = 0;
    return contents.map(({ length }) => {
      const segments: Segment[] = [];
      for (let at = from; at < from + length; ) {
        const offset = at % size;
        const taken = Math.min(size - offset, from + length - at);
        segments.push({ id: chunks[Math.floor(at / size)] as Uint8Array, offset, length: taken });
        at += taken;
      }
      from += length;
      return segments;
    });
  }

  private pieces(content: Uint8Array): Segment[] {
    const segments: Segment[] = [];
    for (let at = 0; at < content.length; at += this.layout.piece) {
      const piece = content.slice(at, at + this.layout.piece);
      segments.push({ id: this.seal(KIND.data, piece), offset: 0, length: piece.length });
    }
    return segments;
  }

  private list(segments: readonly Segment[]): Uint8Array {
    let start = 0;
    let children = chunked(segments, this.layout.list).map((run) => {
      const { body, links } = encodeList({ segments: run });
      const child = { start, id: this.seal(KIND.list, body, links) };
      start += run.reduce((sum, { length }) => sum + length, 0);
      return child;
    });
    while (children.length > 1) {
      children = chunked(children, 8).map((run) => {
        const first = run[0]?.start ?? 0;
        const { body, links } = encodeList({ children: run.map(({ id, start: at }) => ({ id, start: at - first })) });
        return { start: first, id: this.seal(KIND.list, body, links) };
      });
    }
    return children[0]?.id as Uint8Array;
  }

  private top(kind: typeof KIND.tree | typeof KIND.gone, entries: readonly TreeEntry[], gone?: Uint8Array): Uint8Array {
    const { part } = this.layout;
    const linked = gone === undefined ? {} : { gone };
    if (entries.length <= part) {
      const { body, links } = encodeDirectory({ entries, ...linked });
      return this.seal(kind, body, links);
    }
    let children = chunked(entries, part).map((run) => {
      const { body, links } = encodeDirectory({ entries: run });
      return { first: run[0]?.name as Uint8Array, id: this.seal(KIND.part, body, links) };
    });
    while (children.length > part) {
      children = chunked(children, part).map((run) => {
        const { body, links } = encodeDirectory({ children: run });
        return { first: run[0]?.first as Uint8Array, id: this.seal(KIND.part, body, links) };
      });
    }
    const { body, links } = encodeDirectory({ children, ...linked });
    return this.seal(kind, body, links);
  }

  /** Packs of about `packSize`, in a store in memory, behind a local endpoint. Nothing is checked on the way in. */
  async build(root: Uint8Array): Promise<BuiltArchive> {
    const { keys, crypto } = this;
    const store = new MemoryStore();
    const frames = [...this.frames.values()];
    for (const pack of this.packs(frames))
      await store.put(packName(keys.archiveId, hash('sha256', pack, 'buffer')), pack);
    const endpoint = await openLocalEndpoint({ store, archiveId: keys.archiveId });
    return { keys, crypto, root, frames, store, endpoint };
  }

  private packs(frames: readonly Frame[]): Uint8Array[] {
    const packs: Uint8Array[] = [];
    let writer = new PackWriter(this.keys.archiveId, () => createHash('sha256'));
    for (const { frame } of frames) {
      writer.add(frame);
      if (writer.size < this.layout.packSize) continue;
      packs.push(writer.finish());
      writer = new PackWriter(this.keys.archiveId, () => createHash('sha256'));
    }
    if (writer.count > 0) packs.push(writer.finish());
    return packs;
  }
}

/** The bytes that the segments hold: the content without its holes. */
export function dataOf(node: Node): Uint8Array {
  if (node.type !== 'file') return new Uint8Array(0);
  const { content, extents } = node;
  return extents === undefined
    ? content
    : concatBytes(...extents.map(([at, length]) => content.slice(at, at + length)));
}

function chunked<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
