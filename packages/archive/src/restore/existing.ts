/**
 * What is done about what stands already where an entry belongs.
 *
 * `rename` (the default) gives it another name, `overwrite` replaces it, `skip` leaves it. In every mode what is *right* already stays untouched, so
 * that a restore that was stopped goes on where it was: same type, size, mode and time to the nanosecond (owner too, when it can be
 * given). Directories are never replaced by directories: they are merged. One that is not empty is never removed.
 */
import { equalBytes } from '../format/ids.ts';
import type { TreeEntry } from '../format/tree.ts';
import type { FileTarget, Found, TargetDirectory } from '../target/file-target.ts';

export type ExistingMode = 'rename' | 'overwrite' | 'skip';

const SETUID_SETGID = 0o6000;

/** Is what was found what a restore of this entry would make? A link's target and a device's numbers count as content. */
export function isRight(
  target: FileTarget,
  directory: TargetDirectory,
  name: Uint8Array,
  found: Found,
  entry: TreeEntry,
): boolean {
  if (found.type !== entry.type) return false;
  switch (entry.type) {
    case 'file':
      return found.size === entry.size && sameAttributes(target, found, entry);
    case 'symlink':
      return equalBytes(target.readLink(directory, name), entry.target ?? new Uint8Array(0));
    case 'char':
    case 'block':
      return found.device.join() === entry.device?.join();
    case 'fifo':
    case 'socket':
      return true;
    case 'directory':
      return false;
    default:
      return entry.type satisfies never;
  }
}

function sameAttributes({ capabilities }: FileTarget, found: Found, entry: TreeEntry): boolean {
  const { modes, owners } = capabilities;
  const sameTime = found.mtime.sec === entry.mtime.sec && found.mtime.nsec === entry.mtime.nsec;
  if (!modes || !sameTime) return sameTime;
  if (owners) return found.mode === entry.mode && found.uid === entry.uid && found.gid === entry.gid;
  // Without its owner an entry was restored without these bits as well.
  return found.mode === entry.mode || found.mode === (entry.mode & ~SETUID_SETGID);
}

/** The longest name that file systems take, in bytes. */
const MAX_NAME = 255;

/** `name (before restore 2026-01-31 12.34.56)`, from the second of these on with a number; shortened at the end of a character. */
export function asideName(name: Uint8Array, now: number, attempt = 1): Uint8Array {
  return suffixed(name, ` (before restore ${stamp(now)}${attempt > 1 ? ` ${attempt}` : ''})`);
}

/** The name of a deleted entry whose own name a live one has. */
export function deletedName(name: Uint8Array, deleted: number): Uint8Array {
  return suffixed(name, ` (deleted ${stamp(deleted)})`);
}

function suffixed(name: Uint8Array, suffix: string): Uint8Array {
  const end = new TextEncoder().encode(suffix);
  let keep = Math.min(name.length, MAX_NAME - end.length);
  if (keep < name.length) while (keep > 0 && ((name[keep] as number) & 0xc0) === 0x80) keep--;
  const result = new Uint8Array(keep + end.length);
  result.set(name.subarray(0, keep));
  result.set(end, keep);
  return result;
}

/** Local time, since people read it. */
function stamp(ms: number): string {
  const at = new Date(ms);
  const two = (n: number) => String(n).padStart(2, '0');
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  return `${day} ${[two(at.getHours()), two(at.getMinutes()), two(at.getSeconds())].join('.')}`;
}
