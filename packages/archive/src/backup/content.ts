/**
 * What an entry holds beside its row: where the content lies, link target, extended attributes, extents. Flat, with ids by their number in
 * a table beside it: the form in which workers report and the cache keeps.
 */
import { ID_LENGTH } from '../format/ids.ts';
import type { Segment } from '../format/tree.ts';
import type { Extent, Xattr } from '../source/source.ts';
import type { ByteReader, ByteWriter } from './byte-writer.ts';

/** Always with all its fields in this order (see `contentOf`): objects of one shape are worked on much faster. */
export type Content = {
  /** 16 bytes; files of 1 to 131,071 bytes. */
  readonly fileId: Uint8Array | undefined;
  readonly segments: readonly Segment[] | undefined;
  /** Files with too many segments for an entry. */
  readonly list: Uint8Array | undefined;
  readonly tree: Uint8Array | undefined;
  readonly target: Uint8Array | undefined;
  readonly xattrs: readonly Xattr[] | undefined;
  readonly extents: readonly Extent[] | undefined;
};

export function contentOf({ fileId, segments, list, tree, target, xattrs, extents }: Partial<Content>): Content {
  return { fileId, segments, list, tree, target, xattrs, extents };
}

/** All chunks that it links. */
export function idsIn({ segments = [], list, tree }: Content): Uint8Array[] {
  return [...segments.map(({ id }) => id), ...(list ? [list] : []), ...(tree ? [tree] : [])];
}

export const NO_CONTENT: Content = contentOf({});

const HOLDS = { segments: 1, list: 2, tree: 4, target: 8, xattrs: 16, extents: 32 } as const;

/** Ids in the order of their first use. */
export class IdTable {
  private readonly numbers = new Map<string, number>();
  private readonly ids: Uint8Array[] = [];
  private last: Uint8Array | null = null;
  private lastNumber = 0;

  numberOf(id: Uint8Array): number {
    if (id === this.last) return this.lastNumber;
    const key = Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
    let number = this.numbers.get(key);
    if (number === undefined) {
      number = this.ids.length;
      this.numbers.set(key, number);
      this.ids.push(id);
    }
    this.last = id;
    this.lastNumber = number;
    return number;
  }

  get count(): number {
    return this.ids.length;
  }

  bytes(): Buffer {
    return Buffer.concat(this.ids);
  }
}

export function writeContent(writer: ByteWriter, content: Content, ids: IdTable): void {
  const { segments, list, tree, target, xattrs, extents } = content;
  writer.u8(
    (segments ? HOLDS.segments : 0) |
      (list ? HOLDS.list : 0) |
      (tree ? HOLDS.tree : 0) |
      (target ? HOLDS.target : 0) |
      (xattrs ? HOLDS.xattrs : 0) |
      (extents ? HOLDS.extents : 0),
  );
  if (segments) writeSegments(writer, segments, ids);
  if (list) writer.u32(ids.numberOf(list));
  if (tree) writer.u32(ids.numberOf(tree));
  if (target) writer.sized(target);
  if (xattrs) writeXattrs(writer, xattrs);
  if (extents) writeExtents(writer, extents);
}

function writeSegments(writer: ByteWriter, segments: readonly Segment[], ids: IdTable): void {
  writer.u32(segments.length);
  for (const { id, offset, length } of segments) {
    writer.u32(ids.numberOf(id));
    writer.u32(offset);
    writer.u32(length);
  }
}

function writeXattrs(writer: ByteWriter, xattrs: readonly Xattr[]): void {
  writer.u32(xattrs.length);
  for (const [name, value] of xattrs) {
    writer.sized(name);
    writer.sized(value);
  }
}

function writeExtents(writer: ByteWriter, extents: readonly Extent[]): void {
  writer.u32(extents.length);
  for (const [offset, length] of extents) {
    writer.f64(offset);
    writer.f64(length);
  }
}

/** `ids` is the table's bytes. Byte strings of the result are views. */
export function readContent(reader: ByteReader, ids: Buffer, fileId?: Uint8Array): Content {
  const holds = reader.u8();
  // In the order in which they were written.
  const segments = holds & HOLDS.segments ? readSegments(reader, ids) : undefined;
  const list = holds & HOLDS.list ? idAt(ids, reader.u32()) : undefined;
  const tree = holds & HOLDS.tree ? idAt(ids, reader.u32()) : undefined;
  const target = holds & HOLDS.target ? reader.sized() : undefined;
  const xattrs = holds & HOLDS.xattrs ? readXattrs(reader) : undefined;
  const extents = holds & HOLDS.extents ? readExtents(reader) : undefined;
  return { fileId, segments, list, tree, target, xattrs, extents };
}

export function idAt(ids: Buffer, number: number): Buffer {
  return ids.subarray(number * ID_LENGTH, (number + 1) * ID_LENGTH);
}

function readSegments(reader: ByteReader, ids: Buffer): Segment[] {
  const count = reader.u32();
  const segments: Segment[] = [];
  for (let i = 0; i < count; i++) {
    segments.push({ id: idAt(ids, reader.u32()), offset: reader.u32(), length: reader.u32() });
  }
  return segments;
}

function readXattrs(reader: ByteReader): Xattr[] {
  const xattrs: Xattr[] = [];
  for (let left = reader.u32(); left > 0; left--) xattrs.push([reader.sized(), reader.sized()]);
  return xattrs;
}

function readExtents(reader: ByteReader): Extent[] {
  const extents: Extent[] = [];
  for (let left = reader.u32(); left > 0; left--) extents.push([reader.f64(), reader.f64()]);
  return extents;
}

/** The numbers of the ids that content names, without decoding the rest: for counting and for checking presence. */
export function eachLink(bytes: Buffer, at: number, visit: (id: number, bytes: number, end: number) => void): void {
  const holds = bytes[at] as number;
  let next = at + 1;
  if (holds & HOLDS.segments) {
    const count = bytes.readUInt32LE(next);
    next += 4;
    for (let i = 0; i < count; i++, next += 12) {
      const length = bytes.readUInt32LE(next + 8);
      visit(bytes.readUInt32LE(next), length, bytes.readUInt32LE(next + 4) + length);
    }
  }
  if (holds & (HOLDS.list | HOLDS.tree)) visit(bytes.readUInt32LE(next), 0, 0);
}
