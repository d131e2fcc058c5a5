// The body of tree, part and gone chunks (format §5.1-5.2). A directory is a *leaf* of entries or an
// *index* of children (parts); what it links stands in the chunk's links, sorted, and the body names
// each by its index there.
//
//   encode: collect the ids of all entries -> sort and join -> write entries with the index of each id
//   decode: read strictly, turn indexes into ids, refuse what breaks a rule or leaves a link unused

import { unencodable, unknownVersion } from '../errors.ts';
import { CborReader, CborWriter } from './cbor.ts';
import { compareBytes, FILE_ID_LENGTH } from './ids.ts';
import { KIND, type Kind } from './kinds.ts';
import { LinkReader, LinkTable } from './links.ts';
import { readSegments, type Segment, writeSegments } from './segments.ts';
import { ENTRY_TYPES, type EntryType, problemOfEntry, problemOfName, type Time, type TreeEntry } from './tree-entry.ts';

export type { Segment } from './segments.ts';
export {
  ENTRY_TYPES,
  type EntryType,
  MAX_ENTRY_SEGMENTS,
  SMALL_FILE,
  type Time,
  type TreeEntry,
} from './tree-entry.ts';

export const DIRECTORY_VERSION = 1;

/** A part of a directory: the first name below it and the id of its chunk. */
export type Child = { readonly first: Uint8Array; readonly id: Uint8Array };

/** Exactly one of `entries` and `children`. `gone` is the id of the directory's gone chunk. */
export type DirectoryBody = {
  readonly entries?: readonly TreeEntry[];
  readonly children?: readonly Child[];
  readonly gone?: Uint8Array;
};

const RECORD = 'directory';

/** `entries` and `children` must ascend by name (but for format §5.5). */
export function encodeDirectory(body: DirectoryBody): { links: Uint8Array; body: Uint8Array } {
  const { entries, children, gone } = body;
  if ((entries === undefined) === (children === undefined)) throw unencodable(RECORD, 'it is a leaf or an index');
  const links = new LinkTable(linkedIds(body));
  const writer = new CborWriter(64 + 96 * (entries?.length ?? 0) + 64 * (children?.length ?? 0));
  writer.map(2 + (gone === undefined ? 0 : 1));
  writer.uint(0);
  writer.uint(DIRECTORY_VERSION);
  if (entries !== undefined) writeEntries(writer, entries, links);
  if (children !== undefined) writeChildren(writer, children, links);
  if (gone !== undefined) {
    writer.uint(3);
    writer.uint(links.indexOf(gone));
  }
  return { links: links.bytes, body: writer.finish() };
}

function linkedIds({ entries, children, gone }: DirectoryBody): Uint8Array[] {
  const ids: Uint8Array[] = [];
  for (const entry of entries ?? []) {
    if (entry.tree !== undefined) ids.push(entry.tree);
    if (entry.list !== undefined) ids.push(entry.list);
    for (const segment of entry.segments ?? []) if (segment.id !== ids[ids.length - 1]) ids.push(segment.id);
  }
  for (const child of children ?? []) ids.push(child.id);
  if (gone !== undefined) ids.push(gone);
  return ids;
}

function writeEntries(writer: CborWriter, entries: readonly TreeEntry[], links: LinkTable): void {
  writer.uint(1);
  writer.array(entries.length);
  let last: TreeEntry | null = null;
  for (const entry of entries) {
    const problem = problemOfEntry(entry);
    if (problem !== null) throw unencodable('directory entry', problem);
    if (!mayFollow(last, entry)) throw unencodable(RECORD, 'entries do not ascend by name');
    last = entry;
    writeEntry(writer, entry, links);
  }
}

/** Names ascend; of what is gone a directory may follow what was none (format §5.5). */
function mayFollow(before: TreeEntry | null, entry: TreeEntry): boolean {
  const order = before === null ? -1 : compareBytes(before.name, entry.name);
  if (order !== 0 || before === null) return order < 0;
  if (before.deleted === undefined || entry.deleted === undefined) return false;
  return before.type !== 'directory' && entry.type === 'directory';
}

function writeEntry(writer: CborWriter, entry: TreeEntry, links: LinkTable): void {
  writer.map(countKeys(entry));
  writer.uint(0);
  writer.bytes(entry.name);
  writer.uint(1);
  writer.uint(ENTRY_TYPES.indexOf(entry.type));
  writer.uint(2);
  writer.uint(entry.mode);
  writer.uint(3);
  writer.uint(entry.uid);
  writer.uint(4);
  writer.uint(entry.gid);
  writer.uint(5);
  writer.array(2);
  writer.int(entry.mtime.sec);
  writer.uint(entry.mtime.nsec);
  if (entry.size !== undefined) writeContent(writer, entry, entry.size, links);
  if (entry.tree !== undefined) {
    writer.uint(10);
    writer.uint(links.indexOf(entry.tree));
  }
  if (entry.target !== undefined) {
    writer.uint(11);
    writer.bytes(entry.target);
  }
  writeRest(writer, entry);
}

function countKeys(e: TreeEntry): number {
  let count = 6;
  if (e.size !== undefined) count++;
  if (e.segments !== undefined) count++;
  if (e.list !== undefined) count++;
  if (e.fileId !== undefined) count++;
  if (e.tree !== undefined) count++;
  if (e.target !== undefined) count++;
  if (e.xattrs !== undefined) count++;
  if (e.extents !== undefined) count++;
  if (e.group !== undefined) count++;
  if (e.device !== undefined) count++;
  if (e.deleted !== undefined) count++;
  return count;
}

function writeContent(writer: CborWriter, entry: TreeEntry, size: number, links: LinkTable): void {
  writer.uint(6);
  writer.uint(size);
  if (entry.segments !== undefined) {
    writer.uint(7);
    writeSegments(writer, entry.segments, links);
  }
  if (entry.list !== undefined) {
    writer.uint(8);
    writer.uint(links.indexOf(entry.list));
  }
  if (entry.fileId !== undefined) {
    writer.uint(9);
    writer.bytes(entry.fileId);
  }
}

function writeRest(writer: CborWriter, { xattrs, extents, group, device, deleted }: TreeEntry): void {
  if (xattrs !== undefined) {
    writer.uint(12);
    writer.array(xattrs.length);
    for (const [name, value] of xattrs) {
      writer.array(2);
      writer.bytes(name);
      writer.bytes(value);
    }
  }
  if (extents !== undefined) {
    writer.uint(13);
    writer.array(extents.length * 2);
    for (const extent of extents) for (const n of extent) writer.uint(n);
  }
  if (group !== undefined) {
    writer.uint(14);
    writer.uint(group);
  }
  if (device !== undefined) {
    writer.uint(15);
    writer.array(2);
    for (const n of device) writer.uint(n);
  }
  if (deleted !== undefined) {
    writer.uint(18);
    writer.uint(deleted);
  }
}

function writeChildren(writer: CborWriter, children: readonly Child[], links: LinkTable): void {
  if (children.length === 0) throw unencodable(RECORD, 'an index without children');
  writer.uint(2);
  writer.array(children.length);
  let last: Uint8Array | null = null;
  for (const { first, id } of children) {
    const problem = problemOfName(first);
    if (problem !== null) throw unencodable(RECORD, problem);
    if (last !== null && compareBytes(last, first) >= 0) throw unencodable(RECORD, 'children do not ascend by name');
    last = first;
    writer.array(2);
    writer.bytes(first);
    writer.uint(links.indexOf(id));
  }
}

/** `kind`, when given, decides whether entries must say when they were deleted and whether a gone chunk may be linked. */
export function decodeDirectory(links: Uint8Array, body: Uint8Array, kind?: Kind): DirectoryBody {
  const reader = new CborReader(body, RECORD);
  const ids = new LinkReader(links, RECORD);
  const directory: { entries?: TreeEntry[]; children?: Child[]; gone?: Uint8Array } = {};
  let last = -1;
  for (let count = reader.map(); count > 0; count--) {
    const key = reader.key(last);
    if (last === -1 && key !== 0) throw reader.fail('the version is missing');
    last = key;
    if (key === 0) checkVersion(reader.uint());
    else if (key === 1) directory.entries = readEntries(reader, ids, kind);
    else if (key === 2) directory.children = readChildren(reader, ids);
    else if (key === 3) directory.gone = ids.take(reader.uint());
    else reader.unknown(key, 1);
  }
  reader.end();
  if ((directory.entries === undefined) === (directory.children === undefined))
    throw reader.fail('neither leaf nor index');
  if (directory.gone !== undefined && kind !== undefined && kind !== KIND.tree)
    throw reader.fail('only a tree links a gone chunk');
  ids.end();
  return directory;
}

function checkVersion(version: number): void {
  if (version !== DIRECTORY_VERSION) throw unknownVersion(RECORD, version);
}

function readEntries(reader: CborReader, links: LinkReader, kind: Kind | undefined): TreeEntry[] {
  const entries: TreeEntry[] = [];
  let last: TreeEntry | null = null;
  for (let count = reader.array(); count > 0; count--) {
    const entry = readEntry(reader, links);
    const problem = problemOfEntry(entry) ?? problemOfDeletion(entry, kind);
    if (problem !== null) throw reader.fail(problem);
    if (!mayFollow(last, entry)) throw reader.fail('entries do not ascend by name');
    last = entry;
    entries.push(entry);
  }
  return entries;
}

function problemOfDeletion({ deleted }: TreeEntry, kind: Kind | undefined): string | null {
  if (kind === KIND.tree && deleted !== undefined) return 'a live entry has a time of deletion';
  if (kind === KIND.gone && deleted === undefined) return 'a gone entry has no time of deletion';
  return null;
}

type Draft = { -readonly [K in keyof TreeEntry]: TreeEntry[K] };

function readEntry(reader: CborReader, links: LinkReader): TreeEntry {
  let count = reader.map() - 6;
  if (count < 0) throw reader.fail('an entry lacks keys that all have');
  const draft: Draft = {
    name: readFixed(reader, 0).bytes(),
    type: readType(readFixed(reader, 1)),
    mode: readFixed(reader, 2).uint(),
    uid: readFixed(reader, 3).uint(),
    gid: readFixed(reader, 4).uint(),
    mtime: readTime(readFixed(reader, 5)),
  };
  for (let last = 5; count > 0; count--) {
    last = reader.key(last);
    readField(reader, links, last, draft);
  }
  return draft;
}

/** A key that every entry has, so that it stands at its place. */
function readFixed(reader: CborReader, key: number): CborReader {
  if (reader.uint() !== key) throw reader.fail(`key ${key} is missing`);
  return reader;
}

function readType(reader: CborReader): EntryType {
  const type = ENTRY_TYPES[reader.uint()];
  if (type === undefined) throw reader.fail('unknown type of entry');
  return type;
}

function readTime(reader: CborReader): Time {
  readPair(reader);
  return { sec: reader.int(), nsec: reader.uint() };
}

function readPair(reader: CborReader): void {
  if (reader.array() !== 2) throw reader.fail('a pair was expected');
}

function readField(reader: CborReader, links: LinkReader, key: number, draft: Draft): void {
  if (key === 6) draft.size = reader.uint();
  else if (key === 7) draft.segments = readSegments(reader, links) as Segment[];
  else if (key === 8) draft.list = links.take(reader.uint());
  else if (key === 9) draft.fileId = reader.bytes(FILE_ID_LENGTH);
  else if (key === 10) draft.tree = links.take(reader.uint());
  else if (key === 11) draft.target = reader.bytes();
  else if (key === 12) draft.xattrs = readXattrs(reader);
  else if (key === 13) draft.extents = readExtents(reader);
  else if (key === 14) draft.group = reader.uint();
  else if (key === 15) draft.device = readDevice(reader);
  else if (key === 18) draft.deleted = reader.uint();
  else reader.unknown(key, 3);
}

function readXattrs(reader: CborReader): [Uint8Array, Uint8Array][] {
  const xattrs: [Uint8Array, Uint8Array][] = [];
  for (let count = reader.array(); count > 0; count--) {
    readPair(reader);
    xattrs.push([reader.bytes(), reader.bytes()]);
  }
  return xattrs;
}

function readExtents(reader: CborReader): [number, number][] {
  const count = reader.array();
  if (count % 2 !== 0) throw reader.fail('extents come as offset, length');
  const extents: [number, number][] = [];
  for (let i = 0; i < count; i += 2) extents.push([reader.uint(), reader.uint()]);
  return extents;
}

function readDevice(reader: CborReader): [number, number] {
  readPair(reader);
  return [reader.uint(), reader.uint()];
}

function readChildren(reader: CborReader, links: LinkReader): Child[] {
  const children: Child[] = [];
  let last: Uint8Array | null = null;
  for (let count = reader.array(); count > 0; count--) {
    readPair(reader);
    const first = reader.bytes();
    const problem = problemOfName(first);
    if (problem !== null) throw reader.fail(problem);
    if (last !== null && compareBytes(last, first) >= 0) throw reader.fail('children do not ascend by name');
    last = first;
    children.push({ first, id: links.take(reader.uint()) });
  }
  if (children.length === 0) throw reader.fail('an index without children');
  return children;
}
