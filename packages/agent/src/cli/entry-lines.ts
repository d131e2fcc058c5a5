import type { TreeEntry } from '@holdfast/archive/format/tree.ts';
import { showPath } from '@holdfast/archive/source/paths.ts';
import { hexUnlessText, pathFields } from '../archive/shown-path.ts';
import { formatTime } from '../archive/time.ts';

/** One entry of a snapshot, for a person and for a program. */
const TYPES: Readonly<Record<TreeEntry['type'], string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  fifo: 'p',
  socket: 's',
  char: 'c',
  block: 'b',
};

/** `name` is shown as it is: a path, or a name in a folder that is known. */
export function entryLine(name: string, entry: TreeEntry, zone: string): string {
  const size = entry.type === 'file' ? String(entry.size ?? 0) : '-';
  const time = formatTime(entry.mtime.sec * 1000, zone);
  const target = entry.target === undefined ? '' : ` -> ${showPath(entry.target)}`;
  const gone = entry.deleted === undefined ? '' : `  (deleted ${formatTime(entry.deleted, zone)})`;
  return `${TYPES[entry.type]}${modeText(entry.mode)}  ${size.padStart(12)}  ${time}  ${name}${target}${gone}`;
}

export function entryDocument(path: Uint8Array, entry: TreeEntry) {
  const { type, mode, uid, gid, mtime, size, target, deleted } = entry;
  return {
    ...pathFields(path),
    type,
    mode,
    uid,
    gid,
    mtime: { sec: mtime.sec, nsec: mtime.nsec },
    ...(size !== undefined && { size }),
    ...(target !== undefined && { target: showPath(target), targetBytes: hexUnlessText(target) }),
    ...(deleted !== undefined && { deleted }),
  };
}

/** `rwxr-x---`, with the letters of setuid, setgid and sticky. */
export function modeText(mode: number): string {
  const bit = (value: number, letter: string) => ((mode & value) !== 0 ? letter : '-');
  const execute = (value: number, special: number, letter: string) => {
    if ((mode & special) === 0) return bit(value, 'x');
    return (mode & value) !== 0 ? letter : letter.toUpperCase();
  };
  return [
    bit(0o400, 'r') + bit(0o200, 'w') + execute(0o100, 0o4000, 's'),
    bit(0o040, 'r') + bit(0o020, 'w') + execute(0o010, 0o2000, 's'),
    bit(0o004, 'r') + bit(0o002, 'w') + execute(0o001, 0o1000, 't'),
  ].join('');
}
