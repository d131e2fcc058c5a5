/**
 * The file system as a FileTarget.
 *
 * Everything goes through `places.ts`, which decides how a directory is reached safely; `attributes.ts` gives attributes;
 * `new-files.ts` keeps what has no name yet. What is here maps the port to system calls.
 */
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  type PathLike,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { problemOfName } from '../format/tree-entry.ts';
import { closeAt, makeFifo, makeNode, O_PATH, openAt, renameAt, splitDevice } from '../system/native.ts';
import { createAttributeSetter, DESCRIPTOR_GRIP, HELD_GRIP, PATH_GRIP } from './attributes.ts';
import type {
  Attributes,
  FileTarget,
  FileType,
  Found,
  Lack,
  NewFile,
  NodeType,
  TargetDirectory,
} from './file-target.ts';
import { type DiskFile, NewFiles } from './new-files.ts';
import {
  type DiskDirectory,
  descriptorPlaces,
  hasDescriptorPaths,
  type Places,
  systemError,
  verifiedPlaces,
} from './places.ts';
import { isLeftOver, temporaryNames } from './temporary-names.ts';
import { problemOnWindows } from './windows-names.ts';

export type DiskTargetOptions = {
  /** 8 random bytes that tell this run's unfinished files from others'. */
  readonly run?: Uint8Array;
  /** Directories and files kept open at most. */
  readonly openDirectories?: number;
  readonly openFiles?: number;
  /** Never use descriptors: as on systems that have no paths through them. */
  readonly verifiedPaths?: boolean;
};

const OPEN_FILES = 128;
const PRIVATE_NODE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

/** `root` is an existing directory; links on the way to it are followed, none below it. */
export function createDiskTarget(root: PathLike, options: DiskTargetOptions = {}): FileTarget {
  const places =
    hasDescriptorPaths() && !options.verifiedPaths
      ? descriptorPlaces(root, options.openDirectories)
      : verifiedPlaces(root);
  return new DiskTarget(places, options);
}

class DiskTarget implements FileTarget {
  readonly root: DiskDirectory = { parent: null, name: null, follow: false };
  readonly capabilities: FileTarget['capabilities'];
  private readonly places: Places;
  private readonly names;
  private readonly setter;
  private readonly files: NewFiles;
  private noReplaceWorks = process.platform === 'linux';

  constructor(places: Places, options: DiskTargetOptions) {
    this.places = places;
    this.names = temporaryNames(options.run ?? randomBytes(8));
    const windows = process.platform === 'win32';
    this.capabilities = {
      owners: process.geteuid?.() === 0,
      modes: !windows,
      problemOfName: windows ? problemOnWindows : problemOfName,
    };
    this.setter = createAttributeSetter(this.capabilities);
    this.files = new NewFiles(places, this.names, this.setter, options.openFiles ?? OPEN_FILES);
  }

  directory(parent: TargetDirectory, name: Uint8Array, options?: { readonly follow?: boolean }): DiskDirectory {
    return { parent: parent as DiskDirectory, name: this.checked(name), follow: options?.follow ?? false };
  }

  stat(directory: TargetDirectory, name: Uint8Array): Found | null {
    try {
      return foundOf(lstatSync(this.at(directory, name), { bigint: true }));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
  }

  isDirectory(directory: TargetDirectory): boolean {
    try {
      this.places.at(directory as DiskDirectory, null);
      return true;
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return false;
      throw error;
    }
  }

  readLink(directory: TargetDirectory, name: Uint8Array): Uint8Array {
    return readlinkSync(this.at(directory, name), { encoding: 'buffer' });
  }

  makeDirectory({ parent, name }: TargetDirectory): boolean {
    if (parent === null || name === null) return false;
    return unlessTaken(() => mkdirSync(this.at(parent, name), PRIVATE_DIRECTORY));
  }

  makeSymlink(directory: TargetDirectory, name: Uint8Array, target: Uint8Array): boolean {
    return unlessTaken(() => symlinkSync(Buffer.from(target), this.at(directory, name)));
  }

  makeNode(
    directory: TargetDirectory,
    name: Uint8Array,
    type: NodeType,
    device?: readonly [number, number],
  ): boolean | 'unsupported' {
    const path = Buffer.from(this.at(directory, name) as Buffer | string);
    return unlessRefused(() =>
      type === 'fifo' ? makeFifo(path, PRIVATE_NODE) : makeNode(path, type, PRIVATE_NODE, device),
    );
  }

  makeHardLink(
    from: TargetDirectory,
    fromName: Uint8Array,
    directory: TargetDirectory,
    name: Uint8Array,
  ): boolean | 'unsupported' {
    const descriptor = this.places.descriptor(from as DiskDirectory);
    if (descriptor === null) {
      // Where the call follows a link, the link's own second name cannot be made.
      if (this.stat(from, fromName)?.type === 'symlink') return 'unsupported';
      return unlessRefused(() => linkSync(this.at(from, fromName), this.at(directory, name)));
    }
    // Held by a descriptor of its own: reaching the second directory may close the first.
    const held = openAt(descriptor, Buffer.from('.'), O_PATH | constants.O_DIRECTORY, 0);
    try {
      const source = Buffer.concat([Buffer.from(`/proc/self/fd/${held}/`), this.checked(fromName)]);
      return unlessRefused(() => linkSync(source, this.at(directory, name)));
    } finally {
      closeAt(held);
    }
  }

  createFile(directory: TargetDirectory, attributes?: Attributes): NewFile {
    return this.files.create(directory as DiskDirectory, attributes);
  }

  write(file: NewFile, position: number, bytes: Uint8Array): void {
    this.files.write(file as DiskFile, position, bytes);
  }

  complete(file: NewFile, size: number, attributes: Attributes): Lack[] {
    return this.files.complete(file as DiskFile, size, attributes);
  }

  publish(file: NewFile, name: Uint8Array, options?: { readonly replace?: boolean }): boolean {
    const disk = file as DiskFile;
    if (!this.files.has(disk)) throw systemError('ENOENT', 'publish', name);
    if (!this.move(disk.directory, disk.name, this.checked(name), options?.replace ?? false)) return false;
    this.files.published(disk);
    return true;
  }

  lend(file: NewFile): number | null {
    return this.files.lend(file as DiskFile);
  }

  giveBack(file: NewFile, end: number): void {
    this.files.giveBack(file as DiskFile, end);
  }

  discard(file: NewFile): void {
    this.files.discard(file as DiskFile);
  }

  setAttributes(directory: TargetDirectory, name: Uint8Array, type: FileType, attributes: Attributes): Lack[] {
    const descriptor = this.places.descriptor(directory as DiskDirectory);
    if (descriptor === null) {
      const path = this.at(directory, name);
      requireType(lstatSync(path, { bigint: true }), type, name);
      return this.setter.set(PATH_GRIP, path, type, attributes);
    }
    // Held from the look to the last attribute: another thing that takes its name meanwhile gets none of them
    const held = openAt(descriptor, this.checked(name), O_PATH | constants.O_NOFOLLOW, 0);
    try {
      requireType(fstatSync(held, { bigint: true }), type, name);
      return this.setter.set(HELD_GRIP, held, type, attributes);
    } finally {
      closeAt(held);
    }
  }

  setDirectoryAttributes(directory: TargetDirectory, attributes: Attributes): Lack[] {
    const disk = directory as DiskDirectory;
    const fd = this.places.descriptor(disk);
    try {
      if (fd !== null) return this.setter.set(DESCRIPTOR_GRIP, fd, 'directory', attributes);
    } catch (error) {
      if (codeOf(error) !== 'EBADF') throw error; // one that may be passed through but not listed
    }
    return disk.parent === null || disk.name === null
      ? []
      : this.setAttributes(disk.parent, disk.name, 'directory', attributes);
  }

  rename(directory: TargetDirectory, name: Uint8Array, to: Uint8Array): boolean {
    return this.move(directory as DiskDirectory, this.checked(name), this.checked(to), false);
  }

  remove(directory: TargetDirectory, name: Uint8Array): void {
    const path = this.at(directory, name);
    if (lstatSync(path).isDirectory()) rmdirSync(path);
    else unlinkSync(path);
  }

  sweep(directory: TargetDirectory): number {
    const path = this.places.at(directory as DiskDirectory, null);
    const names = readNames(path).filter(isLeftOver);
    for (const name of names) this.remove(directory, name);
    return names.length;
  }

  close(): void {
    this.files.discardAll();
    this.names.end();
    this.places.close();
  }

  private checked(name: Uint8Array): Uint8Array {
    const problem = this.capabilities.problemOfName(name);
    if (problem !== null) throw systemError('EINVAL', problem, name);
    return name;
  }

  private at(directory: TargetDirectory, name: Uint8Array): PathLike {
    return this.places.at(directory as DiskDirectory, this.checked(name));
  }

  /** False when the name is taken and may not be replaced. */
  private move(directory: DiskDirectory, from: Uint8Array, to: Uint8Array, replace: boolean): boolean {
    const descriptor = this.places.descriptor(directory);
    if (descriptor !== null && (replace || this.noReplaceWorks)) {
      const result = renameAt(descriptor, from, to, replace);
      if (result !== 'unsupported') return result === 'done';
      this.noReplaceWorks = false;
    }
    const source = this.places.at(directory, from);
    const target = this.places.at(directory, to);
    if (!replace) return moveUnlessTaken(source, target);
    renameSync(source, target);
    return true;
  }
}

function readNames(path: PathLike): Buffer[] {
  try {
    return readdirSync(path, { encoding: 'buffer' });
  } catch (error) {
    if (codeOf(error) === 'EACCES') return []; // not ours to list: then we left nothing either
    throw error;
  }
}

/** Where the system cannot rename without replacing: a second name, which is never given twice, takes the first one's place. */
function moveUnlessTaken(source: PathLike, target: PathLike): boolean {
  const linked = lstatSync(source).isDirectory() ? 'unsupported' : unlessRefused(() => linkSync(source, target));
  if (linked === false) return false;
  if (linked === true) {
    unlinkSync(source);
    return true;
  }
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return false;
  renameSync(source, target);
  return true;
}

function requireType(stat: BigIntStats, type: FileType, name: Uint8Array): void {
  const found = typeOf(stat);
  if (found !== type) throw systemError('EINVAL', `set attributes of a ${type}, which is a ${found},`, name);
}

function foundOf(stat: BigIntStats): Found {
  const sec = stat.mtimeNs / 1_000_000_000n;
  const nsec = stat.mtimeNs % 1_000_000_000n;
  const before = nsec < 0n ? 1n : 0n; // division rounds towards zero, times before 1970 are negative
  return {
    type: typeOf(stat),
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: Number(stat.size),
    mtime: { sec: Number(sec - before), nsec: Number(nsec + before * 1_000_000_000n) },
    identity: `${stat.dev}:${stat.ino}`,
    device: splitDevice(stat.rdev),
  };
}

function typeOf(stat: BigIntStats): FileType {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isSocket()) return 'socket';
  return stat.isBlockDevice() ? 'block' : 'char';
}

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code);

/** False when the name was taken. */
function unlessTaken(make: () => void): boolean {
  try {
    make();
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

const UNSUPPORTED = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP', 'EXDEV', 'EMLINK', 'EINVAL']);

function unlessRefused(make: () => unknown): boolean | 'unsupported' {
  try {
    return unlessTaken(() => {
      if (make() === 'unsupported') throw systemError('ENOTSUP', 'make', '');
    });
  } catch (error) {
    if (UNSUPPORTED.has(codeOf(error))) return 'unsupported';
    throw error;
  }
}
