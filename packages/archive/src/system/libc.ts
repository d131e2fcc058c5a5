/**
 * libc through koffi, the only file that uses it: binds calls when they are first needed, passes paths, names errors.
 *
 * Nothing is loaded before the first call (about 10 ms, once per thread). A path is a Buffer without a terminating zero byte; it travels in
 * a scratch buffer that is allocated once, since every call is synchronous: about half a microsecond on top of the system call.
 * Failures are errors in the shape of `node:fs` (`code` such as `EPERM`, `errno`, `syscall`, `path`).
 */
import { createRequire } from 'node:module';
import type { LibraryHandle } from 'koffi';

export type Done = 'done' | 'unsupported';

/** What differs between the systems whose libc we call. */
export type Platform = {
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
export const platform: Platform | undefined = PLATFORMS[process.platform];

export type Call = (...args: (number | bigint | Uint8Array | null)[]) => number;

/** C prototypes with the types spelled for 64-bit systems, the only ones our runtime exists for. */
function signatures(darwin: boolean): { readonly [name: string]: string } {
  const xattr = (linux: string, mac: string) => (darwin ? mac : linux);
  return {
    utimensat: 'int utimensat(int dir, void *path, void *times, int flags)',
    futimens: 'int futimens(int fd, void *times)',
    mkfifo: `int mkfifo(void *path, ${darwin ? 'uint16_t' : 'uint32_t'} mode)`,
    mknod: 'int mknod(void *path, uint16_t mode, int32_t device)', // darwin
    openat: 'int openat(int dir, void *path, int flags, uint32_t mode)', // Linux only: elsewhere variadic calls differ
    // Old libraries lack these two; the kernels do not. Linux passes these variadic arguments like others.
    mknodat: 'int64_t syscall(int64_t number, int dir, void *path, uint32_t mode, uint32_t device)',
    renameat2: 'int64_t syscall(int64_t number, int fromDir, void *from, int toDir, void *to, uint32_t flags)',
    close: 'int close(int fd)',
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
    // Linux only: through `/proc/self/fd/N`, which names the thing itself and is to be followed
    listHeld: 'int64_t listxattr(void *path, void *list, uint64_t size)',
    getHeld: 'int64_t getxattr(void *path, void *name, void *value, uint64_t size)',
    setHeld: 'int setxattr(void *path, void *name, void *value, uint64_t size, int flags)',
    mallopt: 'int mallopt(int what, int value)', // glibc only, like the next
    trim: 'int malloc_trim(uint64_t keep)',
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

export function bind(): Bound {
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

export function call(name: string): Call {
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

/** `null` where the library lacks it. */
export function callIfThere(name: string): Call | null {
  try {
    return call(name);
  } catch {
    return null; // binding fails for that reason alone
  }
}

export function terminated(bytes: Uint8Array, into: Buffer): Buffer {
  const target = bytes.length < into.length ? into : Buffer.alloc(bytes.length + 1);
  target.set(bytes);
  target[bytes.length] = 0;
  return target;
}

let pathScratch: Buffer = Buffer.alloc(8192);

/** For one call: the next path takes its place. */
export function pathPointer(path: Uint8Array): Buffer {
  if (path.includes(0)) throw systemError('EINVAL', 0, 'path', path);
  pathScratch = terminated(path, pathScratch);
  return pathScratch;
}

export function systemError(
  code: string,
  errno: number,
  syscall: string,
  path: Uint8Array | number,
): NodeJS.ErrnoException {
  const shown = typeof path === 'number' ? `descriptor ${path}` : Buffer.from(path).toString();
  const error: NodeJS.ErrnoException = new Error(`${code}: ${syscall} '${shown}'`);
  return Object.assign(error, { code, errno: -errno, syscall, path: shown });
}

export function lastError(syscall: string, path: Uint8Array | number): NodeJS.ErrnoException {
  const { errno, names } = bind();
  const number = errno();
  return systemError(names.get(number) ?? `E${number}`, number, syscall, path);
}

export const isUnsupported = (error: NodeJS.ErrnoException) => error.code === 'ENOTSUP' || error.code === 'ENOSYS';

export function done(result: number, syscall: string, path: Uint8Array | number): Done {
  if (result === 0) return 'done';
  const error = lastError(syscall, path);
  if (isUnsupported(error)) return 'unsupported';
  throw error;
}
