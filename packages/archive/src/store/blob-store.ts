/**
 * The port to a store point: a flat set of named, immutable-by-convention blobs.
 *
 * Nouns: a *blob* is a run of bytes with a name; a *name* is a relative path as format §7 lists them; a *prefix* is
 * the beginning of a name.
 *
 * What every implementation owes, and what breaks without it:
 *
 * - **Atomic.** A name shows either all bytes of one `put` (or `commit`) or what it showed before, to every reader and
 *   after every crash. A torn blob under its final name would be taken for a stored one. (must)
 * - **Durable.** When `put` or `commit` resolves, the blob and its name survive a power cut. Packs are acknowledged on
 *   the strength of it. When it rejects, nothing is known: the blob may be there, whole, or not at all. (must)
 * - **Idempotent.** Repeating a `put` of the same bytes or a `delete` is harmless; `delete` of an absent name resolves.
 *   So every operation may be retried. (must)
 * - **Read your writes.** A resolved `put`, `commit` or `delete` is seen by every `get`, `stat` and `list` that starts
 *   later. (must)
 * - **Stable listing.** `list` yields each name at most once, ascending (bytewise); a blob present from before the listing began
 *   until after it ended is in it. Temporary files never show. (must)
 * - **Nothing invented.** `get` yields bytes that were put, all of the range asked for, or rejects. (Decay of the medium is
 *   found by the reader, by hash; the store does not promise to find it.) (must)
 *
 * Errors are `ArchiveError`s with these codes; `retryable` is decided here, once:
 *
 * | code | when | retryable |
 * |---|---|---|
 * | `blob_missing` | `get` of a name that is not there; `data: { name }` | no |
 * | `blob_short` | the range does not lie inside the blob; `data: { name, size }` | no |
 * | `blob_name_invalid` | a name or prefix outside the rule below; `data: { name }` | no |
 * | `store_full` | no space or quota left; `data: { name }` | yes, later |
 * | `store_unavailable` | the medium or the network failed; `cause` says how | yes |
 * | `store_denied` | the store may not be read or written by us; `cause` | no |
 *
 * An aborted call rejects with the signal's own reason.
 *
 * **Names** are one or more segments joined by `/`; a segment is 1 to 128 of `a-z 0-9 . _ -` and does not begin
 * with a dot. The first segment is never `tmp`. At most 512 characters in all. A name is never also the folder of another
 * (`a` beside `a/b`): what a store does then is not defined.
 */
export interface BlobStore {
  /**
   * Stores `bytes` (several parts are joined) under `name`. Replaces what is there, unless `ifAbsent`, which leaves it and
   * answers `exists`; of several concurrent `ifAbsent` puts exactly one answers `stored`.
   * The caller must not change the bytes until it settles.
   */
  put(name: string, bytes: Uint8Array | readonly Uint8Array[], options?: PutOptions): Promise<PutResult>;

  /** The whole blob, or exactly `range.length` bytes from `range.offset`. The result is the caller's own. */
  get(name: string, range?: BlobRange, signal?: AbortSignal): Promise<Uint8Array>;

  /** Size and time of a blob, or `null` when there is none. */
  stat(name: string): Promise<BlobStat | null>;

  /**
   * Every blob whose name begins with `prefix` (not only at a `/`; `''` is all), ascending by name; with `after`, only names greater
   * than it (any text; it need not exist), without going through those before it.
   */
  list(prefix: string, options?: ListOptions): AsyncIterable<BlobInfo>;

  /** Removes the blob; resolves also when it was not there. Durable when it resolves. */
  delete(name: string): Promise<void>;

  /** A blob whose name is known only when its last byte is (a pack is named by its hash). Nothing shows before `commit`. */
  writer(): Promise<BlobWriter>;
}

/** One blob being written. Calls are made one after the other; each waits for the one before. */
export interface BlobWriter {
  /** Appends. The chunk may be reused once it resolves. After a rejection only `abort` may be called. */
  write(chunk: Uint8Array): Promise<void>;
  /** Gives what was written its name, as atomic and durable as `put`. Ends the writer, also when it rejects. */
  commit(name: string, options?: PutOptions): Promise<PutResult>;
  /** Forgets what was written. Idempotent; does nothing after `commit`. */
  abort(): Promise<void>;
}

export type PutOptions = { readonly ifAbsent?: boolean };
export type ListOptions = { readonly after?: string; readonly signal?: AbortSignal };
export type PutResult = 'stored' | 'exists';
export type BlobRange = { readonly offset: number; readonly length: number };
export type BlobStat = {
  /** bytes */
  readonly size: number;
  /** When the blob was stored, ms since 1970 by the store's own clock. To be shown, never to decide what may be deleted. */
  readonly modified: number;
};
export type BlobInfo = BlobStat & { readonly name: string };
