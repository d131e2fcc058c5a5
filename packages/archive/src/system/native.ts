/**
 * System calls that Node lacks: exact times, extended attributes, FIFOs, devices, holes, opening and renaming below a directory's
 * descriptor. libc.ts binds them.
 *
 * A *path* is a Buffer without a terminating zero byte, never decoded. A result is a value, or `'unsupported'` where the platform or the file
 * system has no such thing; every other failure is thrown in the shape of `node:fs` errors. No call follows a symbolic link at the end
 * of a path.
 */
import {
  bind,
  call,
  callIfThere,
  type Done,
  done,
  isUnsupported,
  lastError,
  pathPointer,
  platform,
  systemError,
  terminated,
} from './libc.ts';

export type { Done } from './libc.ts';
export type Time = { readonly sec: number; readonly nsec: number };
export type Xattr = [name: Uint8Array, value: Uint8Array];
export type Extent = [offset: number, length: number];
export type NodeType = 'char' | 'block' | 'socket';

/** Whether this platform has the calls at all; a file system may still answer `'unsupported'`. */
export const nativeAvailable = platform !== undefined;

const XATTR_NOFOLLOW = 1; // darwin
const XATTR_SCRATCH = 65536; // Linux caps both a value and the list of names here; darwin may need more
const NO_XATTRS: readonly Xattr[] = Object.freeze([]);

const secondScratch = Buffer.alloc(512);
let listScratch: Buffer | undefined;
let valueScratch: Buffer | undefined;
const times = new DataView(new ArrayBuffer(32));
const timesBytes = new Uint8Array(times.buffer);

/** A name beside the path of the same call. */
function namePointer(name: Uint8Array): Buffer {
  if (name.includes(0)) throw systemError('EINVAL', 0, 'name', name);
  return terminated(name, secondScratch);
}

function writeTime(at: number, time: Time | null, omit: number): void {
  times.setBigInt64(at, BigInt(time ? time.sec : 0), true);
  times.setBigInt64(at + 8, BigInt(time ? time.nsec : omit), true);
}

/** Sets the times of what stands at `path`, the link itself if it is one. `null` leaves the access time as it is. */
export function setTimes(path: Uint8Array, atime: Time | null, mtime: Time): Done {
  if (!platform) return 'unsupported';
  writeTime(0, atime, platform.omit);
  writeTime(16, mtime, platform.omit);
  const result = call('utimensat')(platform.atFdCwd, pathPointer(path), timesBytes, platform.noFollow);
  return done(result, 'utimensat', path);
}

/** The same for an open file or directory. */
export function setTimesFd(fd: number, atime: Time | null, mtime: Time): Done {
  if (!platform) return 'unsupported';
  writeTime(0, atime, platform.omit);
  writeTime(16, mtime, platform.omit);
  return done(call('futimens')(fd, timesBytes), 'futimens', fd);
}

/** All attributes, sorted by name bytewise (format §5.2 key 12). Files without any share one empty array and cost one call. */
export function xattrs(path: Uint8Array): readonly Xattr[] | 'unsupported' {
  return platform ? readXattrs(pathPointer(path), path, 'list', 'get') : 'unsupported';
}

export function xattrsFd(fd: number): readonly Xattr[] | 'unsupported' {
  return platform ? readXattrs(fd, fd, 'flist', 'fget') : 'unsupported';
}

function readXattrs(
  at: Buffer | number,
  shown: Uint8Array | number,
  list: 'list' | 'flist' | 'listHeld',
  get: 'get' | 'fget' | 'getHeld',
): readonly Xattr[] | 'unsupported' {
  const names = readNames(at, shown, list);
  if (names === 'unsupported' || names.length === 0) return names === 'unsupported' ? names : NO_XATTRS;
  const found: Xattr[] = [];
  for (const name of names) {
    const value = readValue(at, shown, name, get);
    if (value) found.push([name, value]);
  }
  return found.sort((a, b) => Buffer.compare(a[0], b[0]));
}

function readNames(
  at: Buffer | number,
  shown: Uint8Array | number,
  list: 'list' | 'flist' | 'listHeld',
): Buffer[] | 'unsupported' {
  const options = bind().platform.darwin ? [list === 'list' ? XATTR_NOFOLLOW : 0] : [];
  const listing = call(list);
  // Nearly no file has any: asking for the length alone takes half as long.
  if (listing(at, null, 0, ...options) === 0) return [];
  listScratch ??= Buffer.alloc(XATTR_SCRATCH);
  for (;;) {
    const length = listing(at, listScratch, listScratch.length, ...options);
    if (length >= 0) return length === 0 ? [] : splitNames(listScratch.subarray(0, length));
    const error = lastError('listxattr', shown);
    if (isUnsupported(error)) return 'unsupported';
    if (error.code !== 'ERANGE') throw error;
    listScratch = Buffer.alloc(listScratch.length * 2);
  }
}

function splitNames(list: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let at = 0; at < list.length; ) {
    const end = list.indexOf(0, at);
    const stop = end < 0 ? list.length : end;
    names.push(Buffer.from(list.subarray(at, stop)));
    at = stop + 1;
  }
  return names;
}

/** `null` when the attribute went away between the two calls. */
function readValue(
  at: Buffer | number,
  shown: Uint8Array | number,
  name: Buffer,
  get: 'get' | 'fget' | 'getHeld',
): Buffer | null {
  const options = bind().platform.darwin ? [0, get === 'get' ? XATTR_NOFOLLOW : 0] : [];
  const getting = call(get);
  valueScratch ??= Buffer.alloc(XATTR_SCRATCH);
  for (;;) {
    const length = getting(at, namePointer(name), valueScratch, valueScratch.length, ...options);
    if (length >= 0) return Buffer.from(valueScratch.subarray(0, length));
    const error = lastError('getxattr', shown);
    if (error.code === 'ENODATA' || error.code === 'ENOATTR') return null;
    if (error.code !== 'ERANGE') throw error;
    valueScratch = Buffer.alloc(valueScratch.length * 2);
  }
}

export function setXattr(path: Uint8Array, name: Uint8Array, value: Uint8Array): Done {
  if (!platform) return 'unsupported';
  const options = platform.darwin ? [0, XATTR_NOFOLLOW] : [0];
  const result = call('set')(pathPointer(path), namePointer(name), nonEmpty(value), value.length, ...options);
  return done(result, 'setxattr', path);
}

export function setXattrFd(fd: number, name: Uint8Array, value: Uint8Array): Done {
  if (!platform) return 'unsupported';
  const options = platform.darwin ? [0, 0] : [0];
  return done(call('fset')(fd, namePointer(name), nonEmpty(value), value.length, ...options), 'fsetxattr', fd);
}

export function removeXattr(path: Uint8Array, name: Uint8Array): Done {
  if (!platform) return 'unsupported';
  const options = platform.darwin ? [XATTR_NOFOLLOW] : [];
  return done(call('remove')(pathPointer(path), namePointer(name), ...options), 'removexattr', path);
}

/** An empty view has no address; the length of zero is what counts. */
const nonEmpty = (value: Uint8Array) => (value.length > 0 ? value : secondScratch);

/** The mode is subject to the umask: set it again where it matters. */
export function makeFifo(path: Uint8Array, mode: number): Done {
  if (!platform) return 'unsupported';
  return done(call('mkfifo')(pathPointer(path), mode & 0o7777), 'mkfifo', path);
}

const NODE_BITS = { char: 0o020000, block: 0o060000, socket: 0o140000 } as const;

/** Devices need root: others get EPERM. A socket takes no numbers. */
export function makeNode(
  path: Uint8Array,
  type: NodeType,
  mode: number,
  device: readonly [number, number] = [0, 0],
): Done {
  if (!platform) return 'unsupported';
  const bits = NODE_BITS[type] | (mode & 0o7777);
  const number = joinDevice(device);
  if (number === null) throw systemError('EINVAL', 0, 'mknod', path);
  const made = platform.darwin
    ? call('mknod')(pathPointer(path), bits, number)
    : call('mknodat')(linuxCall('mknodat'), platform.atFdCwd, pathPointer(path), bits, number);
  return done(made, 'mknod', path);
}

/** A device number of the system (`stat.rdev`) as `[major, minor]` (format §5.2 key 15). */
export function splitDevice(rdev: bigint | number): [major: number, minor: number] {
  const n = BigInt(rdev);
  if (platform?.darwin) return [Number((n >> 24n) & 0xffn), Number(n & 0xffffffn)];
  return [Number(((n >> 8n) & 0xfffn) | ((n >> 32n) & 0xfffff000n)), Number((n & 0xffn) | ((n >> 12n) & 0xffffff00n))];
}

/** As the kernel takes it; null when it has no such numbers. */
export function joinDevice([major, minor]: readonly [number, number]): number | null {
  if (platform?.darwin) return major < 256 && minor < 2 ** 24 ? (major << 24) | minor : null;
  return major < 2 ** 12 && minor < 2 ** 20 ? ((minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12)) >>> 0 : null;
}

/**
 * The extents of an open file that hold data, ascending (format §5.3); one that covers everything when there is no hole.
 * File systems that do not know their holes answer with that as well. Moves the file position.
 */
export function extents(fd: number, size: number): Extent[] | 'unsupported' {
  if (!platform) return 'unsupported';
  const seek = call('lseek');
  const found: Extent[] = [];
  for (let at = 0; at < size; ) {
    const start = Number(seek(fd, at, platform.seekData));
    if (start < 0) {
      const error = lastError('lseek', fd);
      if (error.code === 'ENXIO') break; // nothing but a hole up to the end
      if (error.code === 'EINVAL' || isUnsupported(error)) return 'unsupported';
      throw error;
    }
    if (start >= size) break;
    const end = Math.min(Number(seek(fd, start, platform.seekHole)), size);
    if (end <= start) throw lastError('lseek', fd);
    found.push([start, end - start]);
    at = end;
  }
  return found;
}

/**
 * Whatever stands behind a descriptor that was opened with O_PATH (Linux), also a link or a FIFO: the thing itself, wherever its name
 * leads meanwhile. Node's `chmodSync` and `chownSync` take this path too.
 */
export const heldPath = (fd: number): string => `/proc/self/fd/${fd}`;

export function setTimesHeld(fd: number, atime: Time | null, mtime: Time): Done {
  if (!platform) return 'unsupported';
  writeTime(0, atime, platform.omit);
  writeTime(16, mtime, platform.omit);
  return done(call('utimensat')(platform.atFdCwd, heldPointer(fd), timesBytes, 0), 'utimensat', fd);
}

export function setXattrHeld(fd: number, name: Uint8Array, value: Uint8Array): Done {
  const set = call('setHeld');
  return done(set(heldPointer(fd), namePointer(name), nonEmpty(value), value.length, 0), 'setxattr', fd);
}

export function xattrsHeld(fd: number): readonly Xattr[] | 'unsupported' {
  return readXattrs(heldPointer(fd), fd, 'listHeld', 'getHeld');
}

const heldPointer = (fd: number): Buffer => pathPointer(Buffer.from(heldPath(fd)));

const LINUX_CALLS = { x64: { mknodat: 259, renameat2: 316 }, arm64: { mknodat: 33, renameat2: 276 } } as const;

function linuxCall(name: 'mknodat' | 'renameat2'): number {
  return LINUX_CALLS[process.arch === 'arm64' ? 'arm64' : 'x64'][name];
}

/** Opens `name` in the directory behind `directory` (Linux). */
export function openAt(directory: number, name: Uint8Array, flags: number, mode: number): number {
  const fd = call('openat')(directory, pathPointer(name), flags | O_CLOEXEC, mode);
  if (fd < 0) throw lastError('openat', name);
  return fd;
}

/** For descriptors of `openAt`: in a worker thread `node:fs` warns of each that it did not open itself. */
export function closeAt(fd: number): void {
  if (call('close')(fd) !== 0) throw lastError('close', fd);
}

export const O_PATH = 0x200000;
const O_CLOEXEC = 0x80000;
const NO_REPLACE = 1;

/** Renames within the directory behind `directory` (Linux): never replaces what is there (`'exists'`), unless asked to. */
export function renameAt(directory: number, from: Uint8Array, to: Uint8Array, replace: boolean): Done | 'exists' {
  const flags = replace ? 0 : NO_REPLACE;
  if (call('renameat2')(linuxCall('renameat2'), directory, pathPointer(from), directory, namePointer(to), flags) === 0)
    return 'done';
  const error = lastError('renameat2', from);
  if (error.code === 'EEXIST' && !replace) return 'exists';
  if (isUnsupported(error) || (error.code === 'EINVAL' && !replace)) return 'unsupported';
  throw error;
}

/**
 * Large buffers go back to the system as soon as they are freed, for as long as the program runs. glibc would take the first freed one, up
 * to 32 MB, for a reason to keep all that are no larger in the memory of the thread that had them.
 */
export function returnLargeMemoryAtOnce(): 'done' | 'unsupported' {
  const mallopt = platform ? callIfThere('mallopt') : null;
  if (mallopt === null) return 'unsupported';
  mallopt(M_MMAP_THRESHOLD, LARGE);
  return 'done';
}

const M_MMAP_THRESHOLD = -3;
/** Below it mapping anew costs more time than the memory is worth. */
const LARGE = 1024 * 1024;

/**
 * Gives pages that were freed back to the system. Each thread's memory has its own free list in glibc, which keeps what was free at the
 * end of a large piece of work for ever. Other libraries do it by themselves, or have no such call.
 */
export function returnFreeMemory(): 'done' | 'unsupported' {
  const trim = platform ? callIfThere('trim') : null;
  if (trim === null) return 'unsupported';
  trim(0);
  return 'done';
}
