/**
 * How a directory below the target's root is reached, so that nobody can lead the way elsewhere in between.
 *
 * - `descriptorPlaces` (Linux): each directory is opened below its parent's descriptor, without following links, and everything in it is
 *   done through `/proc/self/fd/N/name`. Whatever is renamed or replaced meanwhile, the descriptor stays the directory; and no path gets longer than
 *   one name, however deep the tree. The most recent directories stay open.
 * - `verifiedPlaces` (elsewhere): the path, after each component of it has been looked at. Between the look and the use someone with access to
 *   the target could replace a directory by a link; systems without `/proc` offer nothing better to Node.
 */
import { Buffer } from 'node:buffer';
import { closeSync, constants, existsSync, lstatSync, openSync, type PathLike, statSync } from 'node:fs';
import { closeAt, O_PATH, openAt } from '../system/native.ts';
import type { TargetDirectory } from './file-target.ts';

export type DiskDirectory = TargetDirectory & {
  readonly parent: DiskDirectory | null;
  readonly name: Uint8Array | null;
  readonly follow: boolean;
};

export interface Places {
  /** Things are opened below descriptors (`openAt`), not by path. */
  readonly byDescriptor: boolean;
  /** A path to use at once and once. `null` is the directory itself. */
  at(directory: DiskDirectory, name: Uint8Array | null): PathLike;
  /** A descriptor of the directory, where there is such a thing; it may be closed by the next call. */
  descriptor(directory: DiskDirectory): number | null;
  close(): void;
}

export function systemError(code: string, what: string, path: Uint8Array | string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(`${code}: ${what} '${Buffer.from(path).toString()}'`);
  return Object.assign(error, { code });
}

export const hasDescriptorPaths = (): boolean => process.platform === 'linux' && existsSync('/proc/self/fd');

/** Directories kept open. A walk goes back to a parent more often than to anything else. */
const OPEN_DIRECTORIES = 128;

export function descriptorPlaces(root: PathLike, limit: number = OPEN_DIRECTORIES): Places {
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const open = new Map<DiskDirectory, number>(); // least recently used first
  let last: { directory: DiskDirectory; fd: number; prefix: Buffer } | null = null;

  const opened = (directory: DiskDirectory): number => {
    if (directory.parent === null) return rootFd;
    const known = open.get(directory);
    if (known === undefined) return descend(directory);
    open.delete(directory);
    open.set(directory, known);
    return known;
  };
  const descend = (directory: DiskDirectory): number => {
    const chain: DiskDirectory[] = [];
    let at = directory;
    while (at.parent !== null && !open.has(at)) {
      chain.push(at);
      at = at.parent;
    }
    let fd = opened(at);
    for (const below of chain.reverse()) {
      fd = openBelow(fd, below);
      open.set(below, fd);
      if (open.size > limit) closeOldest();
    }
    return fd;
  };
  const closeOldest = (): void => {
    for (const [directory, fd] of open) {
      open.delete(directory);
      if (last?.fd === fd) last = null;
      closeAt(fd);
      return;
    }
  };
  const current = (directory: DiskDirectory) => {
    if (last?.directory !== directory) {
      const fd = opened(directory);
      last = { directory, fd, prefix: Buffer.from(`/proc/self/fd/${fd}/`) };
    }
    return last;
  };
  return {
    byDescriptor: true,
    at: (directory, name) => {
      const { prefix } = current(directory);
      return name === null ? prefix : Buffer.concat([prefix, name]);
    },
    descriptor: (directory) => current(directory).fd,
    close: () => {
      last = null;
      for (const fd of open.values()) closeAt(fd);
      open.clear();
      closeSync(rootFd);
    },
  };
}

function openBelow(parent: number, { name, follow }: DiskDirectory): number {
  const flags = constants.O_DIRECTORY | (follow ? 0 : constants.O_NOFOLLOW);
  try {
    return openAt(parent, name as Uint8Array, constants.O_RDONLY | flags, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    return openAt(parent, name as Uint8Array, O_PATH | flags, 0); // may be passed through, if not listed
  }
}

export function verifiedPlaces(root: PathLike): Places {
  const separator = process.platform === 'win32' ? '\\' : '/';
  const rootPath = Buffer.from(root as Buffer | string);
  if (!statSync(root).isDirectory()) throw systemError('ENOTDIR', 'open', rootPath);
  const join = (path: Buffer, name: Uint8Array): Buffer =>
    Buffer.concat([path, path.toString().endsWith(separator) ? Buffer.alloc(0) : Buffer.from(separator), name]);
  const pathOf = (directory: DiskDirectory): Buffer => {
    if (directory.parent === null) return rootPath;
    const path = join(pathOf(directory.parent), directory.name as Uint8Array);
    const stat = directory.follow ? statSync(native(path)) : lstatSync(native(path));
    if (!stat.isDirectory()) throw systemError(stat.isSymbolicLink() ? 'ELOOP' : 'ENOTDIR', 'open', path);
    return path;
  };
  return {
    byDescriptor: false,
    at: (directory, name) => native(name === null ? pathOf(directory) : join(pathOf(directory), name)),
    descriptor: () => null,
    close: () => {},
  };
}

/** Windows knows names as text only. */
const native = (path: Buffer): PathLike => (process.platform === 'win32' ? path.toString() : path);
