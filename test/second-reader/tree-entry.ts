/** One entry of a directory (format §5.2, §5.3). */
import type { CborMap, Value } from './cbor.ts';
import {
  bytes,
  demandAscending,
  field,
  groupsOf,
  id16,
  list,
  mapOf,
  optional,
  type Time,
  time,
  u32,
  uint,
} from './fields.ts';
import type { Links } from './links.ts';
import { demand, Refusal } from './refusal.ts';

/** `length` bytes from `offset` of the plaintext of a chunk. */
export interface Segment {
  readonly id: Buffer;
  readonly offset: number;
  readonly length: number;
}

export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export type Xattr = readonly [name: Buffer, value: Buffer];

interface Common {
  readonly name: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Time;
  readonly xattrs: readonly Xattr[];
  readonly group: number | undefined;
  /** Only in gone chunks. */
  readonly deletedMs: number | undefined;
}

export interface FileEntry extends Common {
  readonly type: 'file';
  readonly size: number;
  /** A list chunk's id where there are too many for the entry. */
  readonly content: readonly Segment[] | Buffer;
  readonly fileId: Buffer | undefined;
  readonly extents: readonly Extent[] | undefined;
}

export interface DirectoryEntry extends Common {
  readonly type: 'directory';
  readonly tree: Buffer;
}

export type TreeEntry =
  | FileEntry
  | DirectoryEntry
  | (Common & { readonly type: 'symlink'; readonly target: Buffer })
  | (Common & { readonly type: 'fifo' | 'socket' })
  | (Common & { readonly type: 'char' | 'block'; readonly device: readonly [major: number, minor: number] });

const TYPES = ['file', 'directory', 'symlink', 'fifo', 'socket', 'char', 'block'] as const;
type Type = (typeof TYPES)[number];

const IN_ALL = [0, 1, 2, 3, 4, 5, 12];
const LINKED = [...IN_ALL, 14];
const KEYS: Record<Type, readonly number[]> = {
  file: [...LINKED, 6, 7, 8, 9, 13],
  directory: [...IN_ALL, 10],
  symlink: [...LINKED, 11],
  fifo: LINKED,
  socket: LINKED,
  char: [...LINKED, 15],
  block: [...LINKED, 15],
};
const DELETED = 18;
const MAX_OWN_SEGMENTS = 1024;

function nameOf(value: Value): Buffer {
  const name = bytes(value);
  const plain =
    name.length > 0 && !name.includes(0) && !name.includes('/') && !['.', '..'].includes(name.toString('latin1'));
  demand(plain, 'bad_name', `the name ${JSON.stringify(name.toString('latin1'))}`);
  return name;
}

function xattrsOf(value: Value): Xattr[] {
  const pairs = list(value).map((pair): Xattr => {
    const [name, content] = list(pair, 2);
    return [bytes(name!), bytes(content!)];
  });
  demand(pairs.length > 0, 'malformed', 'extended attributes that are present but empty');
  demandAscending(
    pairs.map(([name]) => name),
    'extended attributes',
  );
  return pairs;
}

function extentsOf(value: Value, size: number): Extent[] {
  const extents = groupsOf(value, 2).map(([offset, length]) => ({ offset: uint(offset!), length: uint(length!) }));
  let end = 0;
  for (const extent of extents) {
    demand(extent.offset >= end && extent.length > 0, 'malformed', 'extents that overlap or are empty');
    end = extent.offset + extent.length;
  }
  demand(end <= size, 'malformed', 'extents behind the end of the file');
  return extents;
}

const MAX_PLAIN = 8_388_608;

export function segmentsOf(value: Value, links: Links): Segment[] {
  return groupsOf(value, 3).map(([link, offset, length]) => {
    const segment = { id: links.at(link!), offset: uint(offset!), length: uint(length!) };
    const sound = segment.length > 0 && segment.offset + segment.length <= MAX_PLAIN;
    demand(sound, 'malformed', 'a segment that is empty or longer than any chunk');
    return segment;
  });
}

function contentOf(map: CborMap, links: Links): readonly Segment[] | Buffer {
  const own = optional(map, 7, (value) => segmentsOf(value, links));
  const listed = optional(map, 8, links.at);
  demand(own === undefined || listed === undefined, 'malformed', 'a file with segments and a list');
  const fits = own === undefined || (own.length >= 1 && own.length <= MAX_OWN_SEGMENTS);
  demand(fits, 'malformed', `${own?.length} segments in an entry`);
  return listed ?? own ?? [];
}

const sum = (parts: readonly { readonly length: number }[]): number =>
  parts.reduce((total, part) => total + part.length, 0);

/** How many bytes the segments of a file add up to: its size without holes. */
export const storedSize = (file: Pick<FileEntry, 'size' | 'extents'>): number =>
  file.extents === undefined ? file.size : sum(file.extents);

function fileOf(map: CborMap, links: Links): Omit<FileEntry, keyof Common> {
  const size = uint(field(map, 6));
  const extents = optional(map, 13, (value) => extentsOf(value, size));
  const content = contentOf(map, links);
  const addsUp = Buffer.isBuffer(content) || sum(content) === storedSize({ size, extents });
  demand(addsUp, 'malformed', 'segments that do not add up to the file');
  return { type: 'file', size, content, fileId: optional(map, 9, id16), extents };
}

function deviceOf(value: Value): readonly [number, number] {
  const [major, minor] = list(value, 2);
  return [u32(major!), u32(minor!)];
}

function commonOf(map: CborMap): Common {
  return {
    name: nameOf(field(map, 0)),
    mode: uint(field(map, 2), 0o7777),
    uid: u32(field(map, 3)),
    gid: u32(field(map, 4)),
    mtime: time(field(map, 5)),
    xattrs: optional(map, 12, xattrsOf) ?? [],
    group: optional(map, 14, u32),
    deletedMs: optional(map, DELETED, uint),
  };
}

function withType(type: Type, common: Common, map: CborMap, links: Links): TreeEntry {
  switch (type) {
    case 'file':
      return { ...common, ...fileOf(map, links) };
    case 'directory':
      return { ...common, type, tree: links.at(field(map, 10)) };
    case 'symlink':
      return { ...common, type, target: bytes(field(map, 11)) };
    case 'fifo':
    case 'socket':
      return { ...common, type };
    case 'char':
    case 'block':
      return { ...common, type, device: deviceOf(field(map, 15)) };
    default:
      throw new Refusal('malformed', `type ${type satisfies never}`);
  }
}

/** `gone` says whether the entry stands in a gone chunk, where key 18 is due and nowhere else. */
export function parseEntry(value: Value, links: Links, gone: boolean): TreeEntry {
  demand(value instanceof Map, 'malformed', 'an entry that is not a map');
  const type = TYPES[uint(field(value, 1))];
  demand(type !== undefined, 'malformed', 'an entry of unknown type');
  const map = mapOf(value, [...KEYS[type], DELETED]);
  demand(map.has(DELETED) === gone, 'malformed', 'a time of deletion in the wrong place');
  const common = commonOf(map);
  demand(common.group !== 0, 'malformed', 'hard-link group 0');
  return withType(type, common, map, links);
}
