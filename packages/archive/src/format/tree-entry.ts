// What one entry of a directory may say (format §5.2), and the rules that writing and reading share.

import { compareBytes, FILE_ID_LENGTH, ID_LENGTH } from './ids.ts';
import { problemOfSegments, type Segment, segmentsLength } from './segments.ts';

/** Seconds since 1970 (may be negative) and nanoseconds within the second. */
export type Time = { readonly sec: number; readonly nsec: number };

/** In the order of their numbers. */
export const ENTRY_TYPES = ['file', 'directory', 'symlink', 'fifo', 'socket', 'char', 'block'] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

export type TreeEntry = {
  /** The bytes that the system gave. */
  readonly name: Uint8Array;
  readonly type: EntryType;
  /** The low 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Time;
  /** Files: bytes, holes included. */
  readonly size?: number;
  /** Files of 1 to 1,024 segments. */
  readonly segments?: readonly Segment[];
  /** Files with more: the id of their list. */
  readonly list?: Uint8Array;
  /** Files of 1 to 131,071 bytes. */
  readonly fileId?: Uint8Array;
  /** Directories: the id of their tree. */
  readonly tree?: Uint8Array;
  readonly target?: Uint8Array;
  /** Name and value, ascending by name. */
  readonly xattrs?: readonly (readonly [Uint8Array, Uint8Array])[];
  /** Sparse files: offset and length of what is no hole. */
  readonly extents?: readonly (readonly [number, number])[];
  /** The same number for the same file within one snapshot. */
  readonly group?: number;
  /** Devices: major and minor. */
  readonly device?: readonly [number, number];
  /** In gone chunks: when it was deleted, ms. */
  readonly deleted?: number;
};

export const MAX_ENTRY_SEGMENTS = 1024;
/** format §3.4: files below this length are bundled. */
export const SMALL_FILE = 131_072;
const MAX_U32 = 0xffffffff;

/** The rule that the entry breaks, or null. */
export function problemOfEntry(entry: TreeEntry): string | null {
  return (
    problemOfName(entry.name) ??
    problemOfNumbers(entry) ??
    (entry.type === 'file' ? problemOfFile(entry) : problemOfOther(entry)) ??
    (entry.xattrs === undefined ? null : problemOfXattrs(entry.xattrs))
  );
}

const DOT = 0x2e;
const SLASH = 0x2f;

export function problemOfName(name: Uint8Array): string | null {
  const n = name.length;
  if (n === 0) return 'a name is empty';
  if (name[0] === DOT && (n === 1 || (n === 2 && name[1] === DOT))) return 'a name is . or ..';
  for (let i = 0; i < n; i++) if (name[i] === SLASH || name[i] === 0) return 'a name has a / or zero byte';
  return null;
}

function problemOfNumbers({ mode, uid, gid, mtime, group, deleted }: TreeEntry): string | null {
  if (!within(mode, 0o7777)) return 'the mode has more than 12 bits';
  if (!within(uid, MAX_U32) || !within(gid, MAX_U32)) return 'an owner is no u32';
  if (!Number.isSafeInteger(mtime.sec) || !within(mtime.nsec, 999_999_999)) return 'a time is out of range';
  if (group !== undefined && (group === 0 || !within(group, MAX_U32))) return 'a hard-link group is no u32 above 0';
  if (deleted !== undefined && !within(deleted, Number.MAX_SAFE_INTEGER)) return 'a time of deletion is out of range';
  return null;
}

const within = (n: number, max: number): boolean => Number.isSafeInteger(n) && n >= 0 && n <= max;

function problemOfFile(entry: TreeEntry): string | null {
  const { size, segments, list, extents } = entry;
  if (entry.tree !== undefined || entry.target !== undefined || entry.device !== undefined)
    return 'a file has fields of another type';
  if (size === undefined || !within(size, Number.MAX_SAFE_INTEGER)) return 'a file has no size';
  const holds = extents === undefined ? size : extentsLength(extents, size);
  if (holds === null) return 'extents overlap, are empty or pass the size';
  if (list !== undefined)
    return segments === undefined ? problemOfListed(entry, holds) : 'a file has segments and a list';
  if (segments !== undefined && (segments.length === 0 || segments.length > MAX_ENTRY_SEGMENTS))
    return 'a file keeps 1 to 1,024 segments in its entry';
  if (segmentsLength(segments ?? []) !== holds) return 'the segments are not as long as the file';
  return problemOfSegments(segments ?? []) ?? problemOfFileId(entry.fileId, holds);
}

function problemOfListed({ list, fileId }: TreeEntry, holds: number): string | null {
  if (list?.length !== ID_LENGTH) return 'an id has 32 bytes';
  return holds <= MAX_ENTRY_SEGMENTS ? 'a file is too short for its list' : problemOfFileId(fileId, holds);
}

function problemOfFileId(fileId: Uint8Array | undefined, holds: number): string | null {
  if (fileId === undefined) return null;
  if (fileId.length !== FILE_ID_LENGTH) return 'a file id has 16 bytes';
  return holds > 0 && holds < SMALL_FILE ? null : 'only small files have a file id';
}

/** How many bytes the extents hold, or null if they break format §5.3. */
function extentsLength(extents: readonly (readonly [number, number])[], size: number): number | null {
  let end = 0;
  let sum = 0;
  for (const [offset, length] of extents) {
    if (!within(offset, size) || !within(length, size) || length === 0 || offset < end) return null;
    end = offset + length;
    sum += length;
  }
  return end <= size ? sum : null;
}

function problemOfOther(entry: TreeEntry): string | null {
  const { type, tree, target, device, group } = entry;
  if (entry.size !== undefined || entry.segments !== undefined || entry.list !== undefined)
    return 'only a file has a size and content';
  if (entry.fileId !== undefined || entry.extents !== undefined) return 'only a file has a size and content';
  if (group !== undefined && type === 'directory') return 'a directory is in no hard-link group';
  if ((tree !== undefined) !== (type === 'directory')) return 'a directory, and nothing else, has a tree';
  if ((target !== undefined) !== (type === 'symlink')) return 'a symbolic link, and nothing else, has a target';
  if ((device !== undefined) !== (type === 'char' || type === 'block'))
    return 'a device, and nothing else, has numbers';
  if (device !== undefined && !(within(device[0], MAX_U32) && within(device[1], MAX_U32)))
    return 'a device number is no u32';
  return null;
}

function problemOfXattrs(xattrs: readonly (readonly [Uint8Array, Uint8Array])[]): string | null {
  if (xattrs.length === 0) return 'extended attributes are left out when there are none';
  for (let i = 0; i < xattrs.length; i++) {
    const name = (xattrs[i] as readonly [Uint8Array, Uint8Array])[0];
    if (name.length === 0) return 'an extended attribute has no name';
    if (i > 0 && compareBytes((xattrs[i - 1] as readonly [Uint8Array, Uint8Array])[0], name) >= 0)
      return 'extended attributes do not ascend by name';
  }
  return null;
}
