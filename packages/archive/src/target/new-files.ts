/**
 * The files of a DiskTarget that have no name yet: content comes in any order, for any number of them at once. Those that wait longest
 * are closed when there are too many, and opened again when more comes.
 *
 * A file is made with its mode and owner where that can be foreseen: each attribute that need not be set saves a twentieth of what a small file
 * costs. What a directory does to what is made in it (umask, default ACL, inherited group) is learned from the first file.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { closeAt, openAt } from '../system/native.ts';
import { type AttributeSetter, DESCRIPTOR_GRIP, type Made } from './attributes.ts';
import type { Attributes, Lack, NewFile } from './file-target.ts';
import type { DiskDirectory, Places } from './places.ts';
import type { TemporaryNames } from './temporary-names.ts';

export type DiskFile = NewFile & {
  readonly directory: DiskDirectory;
  /** Until it is published. */
  readonly name: Uint8Array;
  readonly made: Made | undefined;
  fd: number | null;
  /** Where the bytes written so far end. */
  end: number;
  /** How often its descriptor is with other threads. */
  lent: number;
  /** It was discarded while it was lent. */
  unwanted: boolean;
};

const MADE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
const AGAIN = constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);
const PRIVATE = 0o600;

export class NewFiles {
  private readonly places: Places;
  private readonly names: TemporaryNames;
  private readonly setter: AttributeSetter;
  private readonly limit: number;
  /** Not published; those with a descriptor also in `open`, least recently used first. */
  private readonly unfinished = new Set<DiskFile>();
  private readonly open = new Set<DiskFile>();
  private readonly habits = new WeakMap<DiskDirectory, Habit>();

  constructor(places: Places, names: TemporaryNames, setter: AttributeSetter, limit: number) {
    this.places = places;
    this.names = names;
    this.setter = setter;
    this.limit = limit;
  }

  create(directory: DiskDirectory, attributes: Attributes | undefined): DiskFile {
    const mode = modeToMake(attributes);
    const name = this.names.next();
    const fd = this.openBelow(directory, name, MADE, mode);
    const made = this.habitOf(directory).madeWith(mode, fd);
    const file: DiskFile = { directory, name, made, fd, end: 0, lent: 0, unwanted: false };
    this.unfinished.add(file);
    this.keepOpen(file);
    return file;
  }

  write(file: DiskFile, position: number, bytes: Uint8Array): void {
    const fd = this.descriptorOf(file);
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
    file.end = Math.max(file.end, position + bytes.length);
  }

  lend(file: DiskFile): number {
    const fd = this.descriptorOf(file);
    file.lent++;
    return fd;
  }

  giveBack(file: DiskFile, end: number): void {
    file.lent--;
    file.end = Math.max(file.end, end);
    if (file.lent === 0 && file.unwanted) this.discard(file);
  }

  complete(file: DiskFile, size: number, attributes: Attributes): Lack[] {
    const fd = this.descriptorOf(file);
    if (file.end !== size) ftruncateSync(fd, size);
    const lacks = this.setter.set(DESCRIPTOR_GRIP, fd, 'file', attributes, file.made);
    this.shut(file);
    return lacks;
  }

  has(file: DiskFile): boolean {
    return this.unfinished.has(file);
  }

  /** It has its name now. */
  published(file: DiskFile): void {
    this.shut(file);
    this.unfinished.delete(file);
  }

  discard(file: DiskFile): void {
    file.unwanted = true;
    if (file.lent > 0 || !this.unfinished.delete(file)) return;
    this.shut(file);
    try {
      unlinkSync(this.places.at(file.directory, file.name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // somebody removed it before us
    }
  }

  discardAll(): void {
    for (const file of [...this.unfinished]) {
      file.lent = 0; // nobody writes any more
      this.discard(file);
    }
  }

  private descriptorOf(file: DiskFile): number {
    if (file.fd === null) {
      file.fd = this.openBelow(file.directory, file.name, AGAIN, PRIVATE);
      this.keepOpen(file);
    } else if (this.open.size > 1) {
      this.open.delete(file);
      this.open.add(file);
    }
    return file.fd;
  }

  private openBelow(directory: DiskDirectory, name: Uint8Array, flags: number, mode: number): number {
    const descriptor = this.places.descriptor(directory);
    return descriptor === null
      ? openSync(this.places.at(directory, name), flags, mode)
      : openAt(descriptor, name, flags, mode);
  }

  private keepOpen(file: DiskFile): void {
    this.open.add(file);
    if (this.open.size <= this.limit) return;
    for (const oldest of this.open) {
      if (oldest === file || oldest.lent > 0) continue;
      this.shut(oldest);
      return;
    }
  }

  private shut(file: DiskFile): void {
    if (file.fd === null) return;
    this.open.delete(file);
    if (this.places.byDescriptor) closeAt(file.fd);
    else closeSync(file.fd);
    file.fd = null;
  }

  private habitOf(directory: DiskDirectory): Habit {
    let habit = this.habits.get(directory);
    if (habit === undefined) {
      habit = new Habit();
      this.habits.set(directory, habit);
    }
    return habit;
  }
}

/** The mode in the end, unless it has to be given last: special bits, extended attributes and further pieces need a file that we may write. */
function modeToMake(attributes: Attributes | undefined): number {
  if (attributes === undefined || attributes.xattrs !== undefined) return PRIVATE;
  const { mode } = attributes;
  return (mode & PRIVATE) === PRIVATE ? mode & 0o777 : PRIVATE;
}

/** What a directory makes of the files in it. */
class Habit {
  private owner: { readonly uid: number; readonly gid: number } | null = null;
  /** Mode bits that are known to be kept. */
  private kept = 0;

  madeWith(mode: number, fd: number): Made | undefined {
    if (this.owner === null || (mode & ~this.kept) !== 0) {
      const { uid, gid, mode: got } = fstatSync(fd);
      this.owner = { uid, gid };
      if ((got & 0o7777) !== mode) return { uid, gid, mode: got & 0o7777 };
      this.kept |= mode;
    }
    return { ...this.owner, mode };
  }
}
