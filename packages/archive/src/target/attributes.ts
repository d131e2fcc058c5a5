/**
 * Gives files their attributes, in the one order that keeps them all: owner (takes setuid and capabilities away), extended
 * attributes (not allowed any more on a read-only file), mode (last word on an ACL's mask), times.
 *
 * Nouns: a *grip* is how to do it to one kind of handle (a descriptor, a path); a *lack* is what could not be kept.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  openSync,
  type PathLike,
  utimesSync,
} from 'node:fs';
import { equalBytes } from '../format/ids.ts';
import {
  type Done,
  heldPath,
  O_PATH,
  setTimes,
  setTimesFd,
  setTimesHeld,
  setXattr,
  setXattrFd,
  setXattrHeld,
  type Xattr,
  xattrs,
  xattrsFd,
  xattrsHeld,
} from '../system/native.ts';
import type { Attributes, FileType, Lack, Time } from './file-target.ts';

export type Grip<H> = {
  chown(handle: H, uid: number, gid: number): void;
  chmod(handle: H, mode: number): void;
  setXattr(handle: H, name: Uint8Array, value: Uint8Array): Done;
  xattrs(handle: H): readonly Xattr[] | 'unsupported';
  setTimes(handle: H, mtime: Time): Done;
  /** Where exact times cannot be set. */
  setRoundedTimes(handle: H, seconds: number): void;
  stat(handle: H): { readonly mtimeNs: bigint; readonly mode: bigint };
};

/** What something was made with, as far as it is known. */
export type Made = { readonly uid: number; readonly gid: number; readonly mode: number };

export const DESCRIPTOR_GRIP: Grip<number> = {
  chown: fchownSync,
  chmod: fchmodSync,
  setXattr: setXattrFd,
  xattrs: xattrsFd,
  setTimes: (fd, mtime) => setTimesFd(fd, null, mtime),
  setRoundedTimes: (fd, seconds) => futimesSync(fd, seconds, seconds),
  stat: (fd) => fstatSync(fd, { bigint: true }),
};

/** For what cannot be opened to be written: a descriptor that only names it (O_PATH). */
export const HELD_GRIP: Grip<number> = {
  chown: (fd, uid, gid) => chownSync(heldPath(fd), uid, gid),
  chmod: (fd, mode) => chmodSync(heldPath(fd), mode),
  setXattr: setXattrHeld,
  xattrs: xattrsHeld,
  setTimes: (fd, mtime) => setTimesHeld(fd, null, mtime),
  setRoundedTimes: (fd, seconds) => utimesSync(heldPath(fd), seconds, seconds),
  stat: (fd) => fstatSync(fd, { bigint: true }),
};

export const PATH_GRIP: Grip<PathLike> = {
  chown: lchownSync,
  chmod: chmodUnfollowed,
  setXattr: (path, name, value) => setXattr(Buffer.from(path as Buffer | string), name, value),
  xattrs: (path) => xattrs(Buffer.from(path as Buffer | string)),
  setTimes: (path, mtime) => setTimes(Buffer.from(path as Buffer | string), null, mtime),
  setRoundedTimes: (path, seconds) => lutimesSync(path, seconds, seconds),
  stat: (path) => lstatSync(path, { bigint: true }),
};

/** `chmod` follows links, so on Linux the thing itself is taken hold of first. */
function chmodUnfollowed(path: PathLike, mode: number): void {
  if (process.platform !== 'linux') {
    chmodSync(path, mode);
    return;
  }
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}

const SETUID_SETGID = 0o6000;
/** Beyond these many a file system keeps no time, and the system cuts it without a word. */
const ORDINARY_SECONDS = 2 ** 31;

export type AttributeSetter = {
  /** `made`: what need not be set again. */
  set<H>(grip: Grip<H>, handle: H, type: FileType, attributes: Attributes, made?: Made): Lack[];
};

const NOTHING: Lack[] = [];

/** `modes` false (Windows): owner and mode mean nothing here and are not spoken of. */
export function createAttributeSetter({
  modes,
  owners,
}: {
  readonly modes: boolean;
  readonly owners: boolean;
}): AttributeSetter {
  const deniedGroups = new Set<number>();
  /** This target keeps nanoseconds: it was tried. Until then, and for odd times, the result is looked at. */
  let exact = false;

  const giveOwner = <H>(grip: Grip<H>, handle: H, uid: number, gid: number): boolean => {
    if (owners) return allowed(() => grip.chown(handle, uid, gid));
    const own = process.geteuid?.() ?? -1;
    if (!deniedGroups.has(gid) && !allowed(() => grip.chown(handle, own, gid))) deniedGroups.add(gid);
    return uid === own && !deniedGroups.has(gid);
  };

  const giveMode = <H>(grip: Grip<H>, handle: H, type: FileType, mode: number, owned: boolean): Lack[] => {
    if (type === 'symlink') return NOTHING;
    const special = type === 'directory' ? 0 : mode & SETUID_SETGID;
    const kept = owned ? mode : mode & ~special;
    if (!allowed(() => grip.chmod(handle, kept))) return ['mode'];
    if (kept !== mode) return ['setuid'];
    const taken = (mode & SETUID_SETGID) !== 0 && (Number(grip.stat(handle).mode) & 0o7777) !== mode;
    return taken ? ['setuid'] : NOTHING;
  };

  const giveTimes = <H>(grip: Grip<H>, handle: H, mtime: Time): boolean => {
    if (grip.setTimes(handle, mtime) === 'unsupported') grip.setRoundedTimes(handle, mtime.sec + mtime.nsec / 1e9);
    if (exact && mtime.sec >= 0 && mtime.sec < ORDINARY_SECONDS) return true;
    const kept = grip.stat(handle).mtimeNs === BigInt(mtime.sec) * 1_000_000_000n + BigInt(mtime.nsec);
    if (kept && mtime.nsec % 1000 !== 0) exact = true;
    return kept;
  };

  return {
    set: (grip, handle, type, { mode, uid, gid, mtime, xattrs }, made) => {
      const lacks: Lack[] = [];
      const same = made !== undefined && made.uid === uid && made.gid === gid;
      const owned = !modes || same || giveOwner(grip, handle, uid, gid);
      if (!owned) lacks.push('owner');
      if (xattrs !== undefined && !giveXattrs(grip, handle, xattrs)) lacks.push('xattrs');
      if (modes && made?.mode !== mode) lacks.push(...giveMode(grip, handle, type, mode, owned));
      if (!giveTimes(grip, handle, mtime)) lacks.push('times');
      return lacks;
    },
  };
}

function giveXattrs<H>(grip: Grip<H>, handle: H, wanted: NonNullable<Attributes['xattrs']>): boolean {
  let all = true;
  for (const [name, value] of wanted) {
    let done = false;
    // Full, too large, not for us, unknown kind: whatever the reason, the content is not to be lost for it.
    allowed(() => {
      done = grip.setXattr(handle, name, value) === 'done';
    }, XATTR_REFUSALS);
    all &&= done || hasXattr(grip, handle, name, value);
  }
  return all;
}

/** On a file that may not be written it cannot be set, but may be there. */
function hasXattr<H>(grip: Grip<H>, handle: H, name: Uint8Array, value: Uint8Array): boolean {
  const there = grip.xattrs(handle);
  return there !== 'unsupported' && there.some(([key, bytes]) => equalBytes(key, name) && equalBytes(bytes, value));
}

const REFUSALS: ReadonlySet<string | undefined> = new Set(['EPERM', 'EACCES', 'EINVAL', 'ENOTSUP', 'ENOSYS']);
const XATTR_REFUSALS: ReadonlySet<string | undefined> = new Set([...REFUSALS, 'ENOSPC', 'EDQUOT', 'E2BIG', 'ERANGE']);

/** Does it; false when the target refuses, rather than fails. */
function allowed(act: () => void, refusals = REFUSALS): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (refusals.has((error as NodeJS.ErrnoException).code)) return false;
    throw error;
  }
}
