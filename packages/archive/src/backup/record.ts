/**
 * One directory as the last backup left it, flat: the form in which the cache keeps it and from which its tree can be encoded again.
 *
 * ```
 * u32 live, gone, ids, length of names, of contents, of the path        24 bytes
 * path · rows (live, then gone) · details (the same order) · names · ids · contents
 * detail: file id (16) · u32 where its content begins · u32 hard-link group · u32 flags · u32 0 · f64 time of deletion
 * ```
 * Fixed widths, so that a name is found by bisection and all file ids are read without decoding an entry. Live entries are sorted by name,
 * gone ones too.
 */

import { ENTRY_TYPES, type TreeEntry } from '../format/tree.ts';
import {
  fingerprintOf,
  ROW_LENGTH,
  rowDevice,
  rowGid,
  rowMode,
  rowMtimeNsec,
  rowMtimeSec,
  rowName,
  rowNameLength,
  rowSize,
  rowType,
  rowUid,
  setName,
  TYPE,
  viewOf,
} from '../source/rows.ts';
import { splitDevice } from '../system/native.ts';
import { ByteReader, ByteWriter } from './byte-writer.ts';
import { type Content, eachLink, IdTable, idAt, readContent, writeContent } from './content.ts';

const HEAD = 24;
const DETAIL = 40;
/** What an entry takes in a record without its name and content. */
export const SMALLEST_ENTRY: number = ROW_LENGTH + DETAIL;
const FLAGS = { fileId: 1, again: 2 } as const;

/** An entry on its way into a tree and a record. */
export type Entry = {
  readonly name: Buffer;
  /** One row of ROW_LENGTH bytes. */
  readonly row: Buffer;
  readonly content: Content;
  /** 0: no hard links. */
  readonly group: number;
  /** To be looked at again next time, whatever its row says. */
  readonly again: boolean;
  /** Of a gone entry, ms. */
  readonly deleted: number;
};

export class DirectoryRecord {
  readonly live: number;
  readonly gone: number;
  readonly path: Buffer;
  /** All rows, live ones first. */
  readonly rows: Buffer;
  readonly names: Buffer;
  readonly ids: Buffer;
  private readonly details: Buffer;
  private readonly contents: Buffer;

  constructor(bytes: Buffer) {
    const [live, gone, ids, names, contents, path] = [0, 4, 8, 12, 16, 20].map((at) => bytes.readUInt32LE(at)) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    this.live = live;
    this.gone = gone;
    const reader = new ByteReader(bytes, HEAD);
    this.path = reader.take(path);
    this.rows = reader.take((live + gone) * ROW_LENGTH);
    this.details = reader.take((live + gone) * DETAIL);
    this.names = reader.take(names);
    this.ids = reader.take(ids * 32);
    this.contents = reader.take(contents);
  }

  get count(): number {
    return this.live + this.gone;
  }

  name(i: number): Buffer {
    return rowName(this.rows, i * ROW_LENGTH, this.names);
  }

  type(i: number): number {
    return rowType(this.rows, i * ROW_LENGTH);
  }

  row(i: number): Buffer {
    return this.rows.subarray(i * ROW_LENGTH, (i + 1) * ROW_LENGTH);
  }

  fileId(i: number): Buffer | undefined {
    return this.flags(i) & FLAGS.fileId ? this.details.subarray(i * DETAIL, i * DETAIL + 16) : undefined;
  }

  /** Where the file id lies in `fileIds`, or -1: for those who look at all of them. */
  fileIdAt(i: number): number {
    return this.flags(i) & FLAGS.fileId ? i * DETAIL : -1;
  }

  get fileIds(): Buffer {
    return this.details;
  }

  again(i: number): boolean {
    return (this.flags(i) & FLAGS.again) !== 0;
  }

  group(i: number): number {
    return this.details.readUInt32LE(i * DETAIL + 20);
  }

  deleted(i: number): number {
    return this.details.readDoubleLE(i * DETAIL + 32);
  }

  content(i: number): Content {
    return readContent(new ByteReader(this.contents, this.contentAt(i)), this.ids, this.fileId(i));
  }

  entry(i: number): Entry {
    return {
      name: this.name(i),
      row: this.row(i),
      content: this.content(i),
      group: this.group(i),
      again: this.again(i),
      deleted: this.deleted(i),
    };
  }

  /** Calls with the number of each id that the entry names, and how many bytes of it up to which end; none for lists and trees. */
  links(i: number, visit: (id: number, bytes: number, end: number) => void): void {
    eachLink(this.contents, this.contentAt(i), visit);
  }

  id(number: number): Buffer {
    return idAt(this.ids, number);
  }

  /** The index of a live entry, or -1. */
  find(name: Buffer): number {
    let low = 0;
    let high = this.live - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.name(middle).compare(name);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** Rows and names of the live entries: what a walk that finds nothing changed would find. */
  liveRows(): { rows: Buffer; names: Buffer } {
    let end = 0;
    for (let i = 0; i < this.live; i++) end += rowNameLength(this.rows, i * ROW_LENGTH);
    return { rows: this.rows.subarray(0, this.live * ROW_LENGTH), names: this.names.subarray(0, end) };
  }

  private flags(i: number): number {
    return this.details.readUInt32LE(i * DETAIL + 24);
  }

  private contentAt(i: number): number {
    return this.details.readUInt32LE(i * DETAIL + 16);
  }
}

/** `live` and `gone` sorted by name. */
export function encodeRecord(path: Buffer, live: readonly Entry[], gone: readonly Entry[]): Buffer {
  const all = gone.length === 0 ? live : [...live, ...gone];
  const rows = Buffer.allocUnsafe(all.length * ROW_LENGTH);
  const details = Buffer.alloc(all.length * DETAIL);
  const contents = new ByteWriter(all.length * 32 + 64);
  const ids = new IdTable();
  const names: Buffer[] = [];
  const view = viewOf(rows);
  let nameAt = 0;
  for (const [i, entry] of all.entries()) {
    rows.set(entry.row, i * ROW_LENGTH);
    setName(view, i * ROW_LENGTH, nameAt, entry.name.length);
    nameAt += entry.name.length;
    names.push(entry.name);
    writeDetail(details, i * DETAIL, entry, contents.length);
    writeContent(contents, entry.content, ids);
  }
  const head = Buffer.allocUnsafe(HEAD);
  const lengths = [live.length, gone.length, ids.count, nameAt, contents.length, path.length];
  for (const [i, n] of lengths.entries()) head.writeUInt32LE(n, i * 4);
  return Buffer.concat([head, path, rows, details, ...names, ids.bytes(), contents.written()]);
}

function writeDetail(details: Buffer, at: number, entry: Entry, contentAt: number): void {
  const { fileId } = entry.content;
  if (fileId) details.set(fileId, at);
  details.writeUInt32LE(contentAt, at + 16);
  details.writeUInt32LE(entry.group, at + 20);
  details.writeUInt32LE((fileId ? FLAGS.fileId : 0) | (entry.again ? FLAGS.again : 0), at + 24);
  details.writeDoubleLE(entry.deleted, at + 32);
}

/** The fingerprint that a walk computes as long as nothing changes. */
export function fingerprintOfRecord(record: DirectoryRecord): Buffer {
  const { rows, names } = record.liveRows();
  return fingerprintOf(rows, names);
}

/** format §5.2. What is absent stands there as undefined: one shape for all. */
export function treeEntry({ name, row, content, group, deleted }: Entry): TreeEntry {
  const type = rowType(row, 0);
  const { fileId, segments, list, tree, target, xattrs, extents } = content;
  return {
    name,
    type: ENTRY_TYPES[type] as TreeEntry['type'],
    mode: rowMode(row, 0),
    uid: rowUid(row, 0),
    gid: rowGid(row, 0),
    mtime: { sec: rowMtimeSec(row, 0), nsec: rowMtimeNsec(row, 0) },
    size: type === TYPE.file ? rowSize(row, 0) : undefined,
    segments,
    list,
    fileId,
    tree,
    target,
    xattrs,
    extents,
    group: group > 0 ? group : undefined,
    device: type === TYPE.char || type === TYPE.block ? splitDevice(rowDevice(row, 0)) : undefined,
    deleted: deleted > 0 ? deleted : undefined,
  } as TreeEntry;
}
