/**
 * Reading a file system for a backup, on Linux, macOS and Windows: what is there, what changed, what is in it.
 *
 * Nouns: a *listing* is one directory's entries as flat rows (rows.ts), sorted by name; a *fingerprint* is a hash of such rows, equal as long
 * as nothing in the directory changed; the *selection* is the roots a user chose and what is excluded below them.
 *
 * ```
 * scan(directory)      -> listing                        one lstat an entry, no decoding
 * fingerprint(listing) == the cached one?                unchanged: only its sub-directories are looked at
 * open(file)           -> stat, extents, read, xattrs    once for each file that changed
 * ```
 *
 * Everything is synchronous and runs in worker threads: the asynchronous calls are several times slower. Paths and names are bytes,
 * never text: a file system may hold names that no encoding can read.
 *
 * This file is the port. What an implementation owes:
 * - `scan` yields each entry once, sorted bytewise; an entry that vanishes while it looks is left out; one that it may not look at
 *   stands in `failed`. (must: a missing name means "deleted" to the caller)
 * - Rows are exact to the nanosecond. (must: else a change goes unseen)
 * - Errors are thrown as `node:fs` throws them, with `code`. ENOENT and ENOTDIR mean that it is not there any more.
 * - `open` never follows a link at the end of a path and never waits for a FIFO.
 */

export type Xattr = readonly [name: Uint8Array, value: Uint8Array];
export type Extent = readonly [offset: number, length: number];
export type Failure = { readonly name: Buffer; readonly reason: string };

export type Listing = {
  readonly count: number;
  /** `count` rows of ROW_LENGTH bytes (rows.ts). */
  readonly rows: Buffer;
  /** The names, joined in the order of the rows. */
  readonly names: Buffer;
  /** Entries that are there and could not be looked at, or are of a kind that is not kept (`socket`). */
  readonly failed: readonly Failure[];
};

export interface FileSource {
  /** Milliseconds, by the clock that stamps the files. */
  now(): number;
  scan(directory: Buffer): Listing;
  /** The row of one entry, its link followed if `follow`; name fields are zero. */
  stat(path: Buffer, follow?: boolean): Buffer;
  open(path: Buffer): OpenFile;
  readLink(path: Buffer): Buffer;
  /** Sorted by name; empty where the file system has none. */
  xattrs(path: Buffer): readonly Xattr[];
  /** Lets go of what was kept open between calls. */
  close(): void;
}

export interface OpenFile {
  /** The row of the open file as it is now; name fields are zero. */
  stat(): Buffer;
  /** Where data lies, by the size of the last `stat`; `null` when there is no hole. A `read` without a position begins anywhere afterwards. */
  extents(): readonly Extent[] | null;
  /** Up to `length` bytes from `position` of the file, or from where the last read ended; 0 at the end. */
  read(into: Buffer, at: number, length: number, position: number | null): number;
  xattrs(): readonly Xattr[];
  close(): void;
}

/** What a worker needs to make its own source: a module that exports `createSource(options)`. */
export type SourceModule = { readonly module: string; readonly data?: unknown };

/** Exclusions are data, so that they reach the workers. */
export type Exclusions = {
  /** See exclude.ts for what a glob means. */
  readonly globs?: readonly string[];
  /** Sources of regular expressions, matched against the whole path as text with `/`; a directory's path ends in `/`. */
  readonly patterns?: readonly string[];
  readonly ignoreCase?: boolean;
  /** Exactly these paths and what is below them. */
  readonly paths?: readonly Uint8Array[];
};

export type SourceOptions = {
  readonly exclude: Exclusions;
  /** Stay on the file systems of the roots. Pseudo file systems (proc, sysfs, ...) are never entered. */
  readonly oneFileSystem: boolean;
  readonly data?: unknown;
};
