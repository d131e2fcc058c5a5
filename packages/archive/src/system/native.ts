/**
 * System calls that Node lacks: exact times, extended attributes, FIFOs, devices, holes. The only file that uses koffi.
 *
 * Nouns: a *path* is a Buffer without a terminating zero byte, never decoded; a *call* is one libc function, bound when it is
 * first needed; a result is a value, or `'unsupported'` where the platform or the file system has no such thing. Every other
 * failure is thrown in the shape of `node:fs` errors (`code` such as `EPERM`, `errno`, `syscall`, `path`), so that callers treat both alike.
 *
 * Nothing is loaded before the first call (about 10 ms, once per thread). Paths and values travel in scratch buffers that are
 * allocated once: a call costs well under a microsecond on top of the system call. No call follows a symbolic link at the end of a path.
 */
import { createRequire } from 'node:module';
import type { LibraryHandle } from 'koffi';

export type Time = { readonly sec: number; readonly nsec: number };
export type Xattr = [name: Uint8Array, value: Uint8Array];
export type Done = 'done' | 'unsupported';
export type Extent = [offset: number, length: number];
export type DeviceType = 'char' | 'block';

/** What differs between the systems whose libc we call. */
type Platform = {
  readonly atFdCwd: number;
  readonly noFollow: number;
  readonly omit: number;
  readonly seekData: number;
  readonly seekHole: number;
  readonly darwin: boolean;
};

const PLATFORMS: { readonly [name: string]: Platform | undefined } = {
  linux: { atFdCwd: -100, noFollow: 0x100, omit: 0x3ffffffe, seekData: 3, seekHole: 4, darwin: false },
  darwin: { atFdCwd: -2, noFollow: 0x20, omit: -2, seekData: 4, seekHole: 3, darwin: true },
};
const platform = PLATFORMS[process.platform];

/** Whether this platform has the calls at all; a file system may still answer `'unsupported'`. */
export const nativeAvailable = platform !== undefined;

const XATTR_NOFOLLOW = 1; // darwin
const XATTR_SCRATCH = 65536; // Linux caps both a value and the list of names here; darwin may need more
const NO_XATTRS: readonly Xattr[] = Object.freeze([]);

type Call = (...args: (number | bigint | Uint8Array)[]) => number;

/** C prototypes with the types spelled for 64-bit systems, the only ones our runtime exists for. */
function signatures(darwin: boolean): { readonly [name: string]: string } {
  const xattr = (linux: string, mac: string) => (darwin ? mac : linux);
  return {
    utimensat: 'int utimensat(int dir, void *path, void *times, int flags)',
    futimens: 'int futimens(int fd, void *times)',
    mkfifo: `int mkfifo(void *path, ${darwin ? 'uint16_t' : 'uint32_t'} mode)`,
    mknod: darwin
      ? 'int mknod(void *path, uint16_t mode, int32_t device)'
      : 'int mknod(void *path, uint32_t mode, uint64_t device)',
    lseek: 'int64_t lseek(int fd, int64_t offset, int whence)',
    list: xattr(
      'int64_t llistxattr(void *path, void *list, uint64_t size)',
      'int64_t listxattr(void *path, void *list, uint64_t size, int options)',
    ),
    flist: xattr(
      'int64_t flistxattr(int fd, void *list, uint64_t size)',
      'int64_t flistxattr(int fd, void *list, uint64_t size, int options)',
    ),
    get: xattr(
      'int64_t lgetxattr(void *path, void *name, void *value, uint64_t size)',
      'int64_t getxattr(void *path, void *name, void *value, uint64_t size, uint32_t position, int options)',
    ),
    fget: xattr(
      'int64_t fgetxattr(int fd, void *name, void *value, uint64_t size)',
      'int64_t fgetxattr(int fd, void *name, void *value, uint64_t size, uint32_t position, int options)',
    ),
    set: xattr(
      'int lsetxattr(void *path, void *name, void *value, uint64_t size, int flags)',
      'int setxattr(void *path, void *name, void *value, uint64_t size, uint32_t position, int options)',
    ),
    fset: xattr(
      'int fsetxattr(int fd, void *name, void *value, uint64_t size, int flags)',
      'int fsetxattr(int fd, void *name, void *value, uint64_t size, uint32_t position, int options)',
    ),
    remove: xattr('int lremovexattr(void *path, void *name)', 'int removexattr(void *path, void *name, int options)'),
  };
}

type Bound = {
  readonly platform: Platform;
  readonly library: LibraryHandle;
  readonly signatures: { readonly [name: string]: string };
  readonly calls: Map<string, Call>;
  readonly errno: () => number;
  readonly names: ReadonlyMap<number, string>;
};

let bound: Bound | undefined;

function bind(): Bound {
  if (bound) return bound;
  if (!platform) throw new Error('No native calls on this platform: ask nativeAvailable first.');
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  bound = {
    platform,
    library: koffi.load(null), // the running program: its libc, glibc or musl
    signatures: signatures(platform.darwin),
    calls: new Map(),
    errno: koffi.errno,
    names: errnoNames(koffi.os.errno),
  };
  return bound;
}

/** Some numbers have two names (EAGAIN and EWOULDBLOCK); the one that `node:fs` uses comes first. */
function errnoNames(codes: Record<string, number>): Map<number, string> {
  const second = new Set(['EWOULDBLOCK', 'EDEADLOCK', 'EOPNOTSUPP']);
  const names = new Map<number, string>();
  for (const [name, number] of Object.entries(codes)) {
    if (!names.has(number) || !second.has(name)) names.set(number, name);
  }
  return names;
}

function call(name: string): Call {
  const { calls, library, signatures } = bind();
  let found = calls.get(name);
  if (!found) {
    const signature = signatures[name];
    if (!signature) throw new Error(`No signature for ${name}`);
    found = library.func(signature) as Call;
    calls.set(name, found);
  }
  return found;
}

// Scratch memory: one set per thread, every call is synchronous

let pathScratch: Buffer = Buffer.alloc(8192);
const nameScratch = Buffer.alloc(512);
let listScratch: Buffer | undefined;
let valueScratch: Buffer | undefined;
const times = new DataView(new ArrayBuffer(32));
const timesBytes = new Uint8Array(times.buffer);

function terminated(bytes: Uint8Array, into: Buffer): Buffer {
  const target = bytes.length < into.length ? into : Buffer.alloc(bytes.length + 1);
  target.set(bytes);
  target[bytes.length] = 0;
  return target;
}

function pathPointer(path: Uint8Array): Buffer {
  if (path.includes(0)) throw systemError('EINVAL', 0, 'path', path);
  pathScratch = terminated(path, pathScratch);
  return pathScratch;
}

function systemError(code: string, errno: number, syscall: string, path: Uint8Array | number): NodeJS.ErrnoException {
  const shown = typeof path === 'number' ? `descriptor ${path}` : Buffer.from(path).toString();
  const error: NodeJS.ErrnoException = new Error(`${code}: ${syscall} '${shown}'`);
  return Object.assign(error, { code, errno: -errno, syscall, path: shown });
}

function lastError(syscall: string, path: Uint8Array | number): NodeJS.ErrnoException {
  const { errno, names } = bind();
  const number = errno();
  return systemError(names.get(number) ?? `E${number}`, number, syscall, path);
}

const isUnsupported = (error: NodeJS.ErrnoException) => error.code === 'ENOTSUP' || error.code === 'ENOSYS';

function done(result: number, syscall: string, path: Uint8Array | number): Done {
  if (result === 0) return 'done';
  const error = lastError(syscall, path);
  if (isUnsupported(error)) return 'unsupported';
  throw error;
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
  list: 'list' | 'flist',
  get: 'get' | 'fget',
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

function readNames(at: Buffer | number, shown: Uint8Array | number, list: 'list' | 'flist'): Buffer[] | 'unsupported' {
  const options = bind().platform.darwin ? [list === 'list' ? XATTR_NOFOLLOW : 0] : [];
  const listing = call(list);
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
function readValue(at: Buffer | number, shown: Uint8Array | number, name: Buffer, get: 'get' | 'fget'): Buffer | null {
  const options = bind().platform.darwin ? [0, get === 'get' ? XATTR_NOFOLLOW : 0] : [];
  const getting = call(get);
  valueScratch ??= Buffer.alloc(XATTR_SCRATCH);
  for (;;) {
    const length = getting(at, terminated(name, nameScratch), valueScratch, valueScratch.length, ...options);
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
  const result = call('set')(
    pathPointer(path),
    terminated(name, nameScratch),
    nonEmpty(value),
    value.length,
    ...options,
  );
  return done(result, 'setxattr', path);
}

export function setXattrFd(fd: number, name: Uint8Array, value: Uint8Array): Done {
  if (!platform) return 'unsupported';
  const options = platform.darwin ? [0, 0] : [0];
  return done(
    call('fset')(fd, terminated(name, nameScratch), nonEmpty(value), value.length, ...options),
    'fsetxattr',
    fd,
  );
}

export function removeXattr(path: Uint8Array, name: Uint8Array): Done {
  if (!platform) return 'unsupported';
  const options = platform.darwin ? [XATTR_NOFOLLOW] : [];
  return done(call('remove')(pathPointer(path), terminated(name, nameScratch), ...options), 'removexattr', path);
}

/** An empty view has no address; the length of zero is what counts. */
const nonEmpty = (value: Uint8Array) => (value.length > 0 ? value : nameScratch);

/** The mode is subject to the umask: set it again where it matters. */
export function makeFifo(path: Uint8Array, mode: number): Done {
  if (!platform) return 'unsupported';
  return done(call('mkfifo')(pathPointer(path), mode & 0o7777), 'mkfifo', path);
}

const DEVICE_BITS = { char: 0o020000, block: 0o060000 } as const;

/** Needs root: others get EPERM. */
export function makeDevice(path: Uint8Array, type: DeviceType, mode: number, device: readonly [number, number]): Done {
  if (!platform) return 'unsupported';
  return done(mknod()(pathPointer(path), DEVICE_BITS[type] | (mode & 0o7777), joinDevice(device)), 'mknod', path);
}

/** glibc before 2.33 exports no `mknod` but the `__xmknod(version, path, mode, &device)` behind its inline function. */
function mknod(): Call {
  const { calls, library } = bind();
  try {
    return call('mknod');
  } catch {
    const old = library.func('int __xmknod(int version, void *path, uint32_t mode, void *device)') as Call;
    const number = new BigUint64Array(1);
    const made: Call = (path, mode, device) => {
      number[0] = BigInt(device as bigint);
      return old(0, path as Uint8Array, mode as number, new Uint8Array(number.buffer));
    };
    calls.set('mknod', made);
    return made;
  }
}

/** A device number of the system (`stat.rdev`) as `[major, minor]` (format §5.2 key 15). */
export function splitDevice(rdev: bigint | number): [major: number, minor: number] {
  const n = BigInt(rdev);
  if (platform?.darwin) return [Number((n >> 24n) & 0xffn), Number(n & 0xffffffn)];
  return [Number(((n >> 8n) & 0xfffn) | ((n >> 32n) & 0xfffff000n)), Number((n & 0xffn) | ((n >> 12n) & 0xffffff00n))];
}

function joinDevice([major, minor]: readonly [number, number]): bigint {
  const high = BigInt(major);
  const low = BigInt(minor);
  if (platform?.darwin) return (high << 24n) | low;
  return ((high & 0xfffn) << 8n) | ((high & 0xfffff000n) << 32n) | (low & 0xffn) | ((low & 0xffffff00n) << 12n);
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
