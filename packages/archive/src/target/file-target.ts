/**
 * The port to the place a restore writes to.
 *
 * Nouns: a *directory* is a reference, made without touching anything: a parent and a name; a *new file* is content that has no
 * name yet; a *found* is what stands under a name; a *lack* is an attribute that the target could not take.
 *
 * Every call is synchronous and comes from one thread: 100,000 small files cost one thread half of what they cost two.
 *
 * What every implementation owes, and what breaks without it:
 *
 * - **Never outside.** Whatever names come and whatever others do meanwhile, nothing is made, changed or removed outside the root. A name
 *   is one name (not empty, not `.` or `..`, without separator or zero byte), else the call throws `EINVAL`. A symbolic link is never
 *   followed: a directory reference whose place is taken by one throws `ENOTDIR` or `ELOOP`. The only exception are directories
 *   made with `follow`, which the user's own paths lead through. (must: else an archive writes where it likes)
 * - **Nothing half.** A new file shows under its name only by `publish`, whole. (must)
 * - **Nothing replaced unasked.** Making something under a name that is taken changes nothing and answers `false`. (must: else a
 *   file of the user's is gone)
 * - **Nothing silent.** An attribute that was not kept exactly is answered as a lack. (must)
 *
 * Anything else that fails throws in the shape of `node:fs` errors, with `code`.
 */

export type Time = { readonly sec: number; readonly nsec: number };

export type FileType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'char' | 'block';
export type NodeType = Exclude<FileType, 'file' | 'directory' | 'symlink'>;

export type Attributes = {
  /** The low 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Time;
  readonly xattrs?: readonly (readonly [Uint8Array, Uint8Array])[];
};

/** `setuid`: these bits are left out where the owner is not the one that they speak of. */
export type Lack = 'owner' | 'setuid' | 'mode' | 'times' | 'xattrs';

export type Found = {
  readonly type: FileType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: Time;
  /** Equal for two names of the same file, and only for these. */
  readonly identity: string;
  readonly device: readonly [number, number];
};

export type Capabilities = {
  /** Owners can be given away (root). */
  readonly owners: boolean;
  /** Owner and mode mean something here. */
  readonly modes: boolean;
  /** Why the name cannot stand here though the archive may hold it, or null. */
  problemOfName(name: Uint8Array): string | null;
};

/** Made by `directory`; anything else about it is the implementation's. */
export interface TargetDirectory {
  readonly parent: TargetDirectory | null;
  readonly name: Uint8Array | null;
}

/** Made by `createFile`. */
export interface NewFile {
  readonly directory: TargetDirectory;
}

export interface FileTarget {
  readonly capabilities: Capabilities;
  readonly root: TargetDirectory;

  /** A reference to what may or may not be there. `follow`: a symbolic link may stand here, since the user's path goes through it. */
  directory(parent: TargetDirectory, name: Uint8Array, options?: { readonly follow?: boolean }): TargetDirectory;

  /** What stands under the name; a link is not followed. */
  stat(directory: TargetDirectory, name: Uint8Array): Found | null;
  /** Whether a directory stands at this reference, through links where it may follow them. */
  isDirectory(directory: TargetDirectory): boolean;
  readLink(directory: TargetDirectory, name: Uint8Array): Uint8Array;

  /** Makes the directory, for its owner alone until it gets its attributes. Each `make...` answers `false` when the name is taken. */
  makeDirectory(directory: TargetDirectory): boolean;
  makeSymlink(directory: TargetDirectory, name: Uint8Array, target: Uint8Array): boolean;
  /** `'unsupported'` where there is no such thing, or it needs rights we lack. */
  makeNode(
    directory: TargetDirectory,
    name: Uint8Array,
    type: NodeType,
    device?: readonly [number, number],
  ): boolean | 'unsupported';
  /** A further name of what stands at `from`. */
  makeHardLink(
    from: TargetDirectory,
    fromName: Uint8Array,
    directory: TargetDirectory,
    name: Uint8Array,
  ): boolean | 'unsupported';

  /**
   * Begins a file in this directory, readable by nobody who may not read it in the end. Any number may be under way. `attributes`: those that
   * `complete` will be given; knowing them early saves setting some of them.
   */
  createFile(directory: TargetDirectory, attributes?: Attributes): NewFile;
  write(file: NewFile, position: number, bytes: Uint8Array): void;
  /**
   * A descriptor through which another thread may write to the file until it is given back; null where there is none. As often lent as given
   * back. A file that is lent stays open: `discard` waits for it, `complete` is not called. (must: else the number stands for another file)
   */
  lend(file: NewFile): number | null;
  /** `end`: where in the file that ends which was written through the descriptor. */
  giveBack(file: NewFile, end: number): void;
  /** Ends the content: `size` bytes, with holes where nothing was written. Sets the attributes. */
  complete(file: NewFile, size: number, attributes: Attributes): Lack[];
  /** Gives a complete file its name; `false` when it is taken, and the file still waits. With `replace` it takes the place of any file. */
  publish(file: NewFile, name: Uint8Array, options?: { readonly replace?: boolean }): boolean;
  /** Forgets a file that was not published. Idempotent. */
  discard(file: NewFile): void;

  /** Sets the attributes of what stands under the name, which must be of this type. */
  setAttributes(directory: TargetDirectory, name: Uint8Array, type: FileType, attributes: Attributes): Lack[];
  /** The same for a directory; what is made in it later changes its time again. */
  setDirectoryAttributes(directory: TargetDirectory, attributes: Attributes): Lack[];

  /** Gives what stands under `name` another name in the same directory; `false` when that is taken. */
  rename(directory: TargetDirectory, name: Uint8Array, to: Uint8Array): boolean;
  /** Removes a file, link or empty directory. */
  remove(directory: TargetDirectory, name: Uint8Array): void;

  /** Removes what a killed restore left in this directory under names of its own; answers how many. */
  sweep(directory: TargetDirectory): number;

  /** Discards what was not published and lets go of all descriptors. Whoever something is lent to must have stopped. */
  close(): void;
}
