/**
 * The port to one archive, wherever it lies: what backup, restore, copy and check talk to.
 *
 * Nouns: an *endpoint* is one archive at one destination; a *session* is one backup, restore, copy or check in
 * progress on it, bound to the archive's *epoch* at its opening (ARCHIVE §5.4); a *location* is where a chunk's frame lies in a pack;
 * an id is *present for a session* when it has a location that was not condemned in an epoch up to the session's and
 * is not lost.
 *
 * A backup, in short:
 * ```
 * session = openSession('backup')
 * known = present(cursor)                     or ask(ids), above PRESENT_LIMIT
 * putPack(...) of data, in any order; then of trees, children before parents
 * commit(snapshot object)                     ends the session
 * ```
 * A restore: `openSession('restore')`, `locate`, `read`, `close`.
 *
 * What every implementation owes:
 *
 * - **Durable before acknowledged.** `putPack` and `commit` resolve when the bytes survive a power cut. (must: else a
 *   snapshot refers to what is gone)
 * - **Children before parents.** Every link of every frame of a pack is present for the session, or lies in an earlier frame
 *   of the same pack; else nothing of the pack is stored and the call rejects with `links_missing`. `commit` treats the root
 *   id as such a link. (must)
 * - **No question writes.** `present`, `ask`, `locate` and `read` change nothing in the store. (must)
 * - **Idempotent.** Repeating `putPack`, `commit`, `reportLost` or `close` gives the same outcome, in this session or in a later one. (must: an
 *   answer can get lost)
 * - **A session holds.** What was answered present, or uploaded, stays readable for this session until it ends. (must)
 *
 * Any method may be called while others of the same session are in flight. Sets of ids are `n * 32` bytes, in any order and any
 * number: an implementation splits what its transport cannot take at once. Answers stand in the order of the question.
 *
 * Errors are `ArchiveError`s; `retryable` is decided by the implementation:
 *
 * | code | from | when | what the caller does |
 * |---|---|---|---|
 * | `session_ended` | every session method | closed, committed, or silent for an hour | opens a new session and asks again; packs it sent stay sent |
 * | `links_missing` | `putPack`, `commit` | `data: { ids: Uint8Array[] }`, at most 1,000 of them | drops them from what it knows, stores them again, resends |
 * | `pack_invalid`, `format_invalid` | `putPack` | the bytes do not hash to the id, or are no exact pack (format §4) | sends it again from memory; twice is a bug or bad memory |
 * | `wrong_archive` | `putPack`, `commit` | the object names another archive | a permanent error |
 * | `format_invalid`, `signature_invalid`, `device_unknown` | `commit` | the object is not as format §6.1 demands | a permanent error |
 * | `chunk_moved` | `read` | the pack was compacted away | `locate` again |
 * | `pack_missing` | `read` | the pack is gone or shorter than it should be | `reportLost`, and looks for another location |
 * | `object_conflict` | `putDeviceList`, `putKeyFile` | the name holds other bytes | reads what is there |
 * | `object_conflict` | `putIdentityWrap` | the recipient has as many wraps as a store keeps | a permanent error |
 *
 * Codes of the store (`store_full`, `store_unavailable`, `store_denied`) and of the transport pass through. An aborted call
 * rejects with the signal's own reason; whether it took effect is then unknown.
 */
export interface ArchiveEndpoint {
  readonly archiveId: Uint8Array;

  /** Sessions are cheap; each purpose that runs for itself opens its own. */
  openSession(purpose: Purpose, signal?: AbortSignal): Promise<ArchiveSession>;

  /**
   * Every stored snapshot, in no order, and those of which only the receipt is left (and no tombstone). Nothing in them is verified: format §6.1 says what
   * the reader must check.
   */
  snapshots(signal?: AbortSignal): Promise<StoredSnapshot[]>;

  /** The statements of format §6.3 still kept, in no order, unverified. */
  tombstones(signal?: AbortSignal): Promise<Uint8Array[]>;

  /** The statements of format §2.6, ascending by counter, unverified; `name` is that of format §7 without its folder. */
  deviceLists(signal?: AbortSignal): Promise<NamedObject[]>;
  /** Adds a list; a counter once used never holds other bytes (`object_conflict`). */
  putDeviceList(counter: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;

  /** The key files (format §2.4), ascending by name; `name` is that of format §7 without its folder. */
  keyFiles(signal?: AbortSignal): Promise<NamedObject[]>;
  /** Adds a key file. One that is there is never replaced (`object_conflict` unless the bytes are equal): a device cannot take keys away. */
  putKeyFile(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;

  /** The identity wraps (format §2.5), ascending by name; `name` as in format §7 without its folder. */
  identityWraps(signal?: AbortSignal): Promise<NamedObject[]>;
  /**
   * Adds a wrap as the newest for its recipient (a passphrase changes, a new identity); `name` is that of the recipient's first. None
   * that is there is replaced: `wrapsNamed` (store/wraps.ts) gives them newest first.
   */
  putIdentityWrap(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
}

export interface ArchiveSession {
  readonly id: string;
  /** The archive's epoch when the session was opened. */
  readonly epoch: number;

  /**
   * What is present for this session. With the `cursor` of an earlier answer, of any session, only what has changed since; an
   * implementation that does not know the cursor any more answers in full. Prefixes are a hint in one direction only: an id that is not among
   * them may be uploaded for nothing, one that is among them is present.
   */
  present(cursor: string | null, signal?: AbortSignal): Promise<PresentIds>;

  /** One byte per id: 1 present for this session, 0 not. */
  ask(ids: Uint8Array, signal?: AbortSignal): Promise<Uint8Array>;

  /**
   * Stores a pack of at most 32 MiB, named by the SHA-256 of its bytes. `exists` when it was there whole; a damaged pack
   * under that name is replaced. Either way its chunks are present afterwards, also those reported lost before. The
   * caller must not change the bytes until it settles.
   */
  putPack(packId: Uint8Array, bytes: Uint8Array, signal?: AbortSignal): Promise<'stored' | 'exists'>;

  /**
   * Stores a snapshot object (format §6.1), after the pack that may ride along, and ends the session when it succeeds. The same
   * object may be committed again, in this session too: the answer is the same.
   */
  commit(object: Uint8Array, signal?: AbortSignal, pack?: PackUpload): Promise<CommitResult>;

  /** Where each chunk's whole frame lies; `null` when it has no location that this session may read. */
  locate(ids: Uint8Array, signal?: AbortSignal): Promise<(Location | null)[]>;

  /** Exactly `length` bytes from `offset` of a pack. The reader joins neighbouring ranges and checks what it opens. */
  read(packId: Uint8Array, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;

  /**
   * Says that these chunks did not open. Nothing is deleted: they at once, and the trees that reach them soon, stop being present
   * until they are stored again (ARCHIVE §5.7). Unknown ids are ignored.
   */
  reportLost(ids: Uint8Array, signal?: AbortSignal): Promise<void>;

  /** Ends the session. Never rejects because it has ended already. */
  close(): Promise<void>;
}

export type Purpose = 'backup' | 'restore' | 'copy' | 'check';

/** Above so many ids `present` gives none (`prefixes` empty, `full`, `total` says how many): the caller asks in batches. */
export const PRESENT_LIMIT = 4_000_000;

/** How much of an id `present` gives. */
export const PREFIX_LENGTH = 16;

export type PresentIds = {
  /** The first 16 bytes of each id, joined, in no order. */
  readonly prefixes: Uint8Array;
  /** Prefixes of ids that were in an earlier answer and are not present now; empty when `full`. */
  readonly removed: Uint8Array;
  /** To be given with the next question. */
  readonly cursor: string;
  /** `prefixes` replaces what the caller knows; otherwise it is added to it, after `removed` was taken out. */
  readonly full: boolean;
  /** How many ids are present in all, about. */
  readonly total: number;
};

export type PackUpload = { readonly id: Uint8Array; readonly bytes: Uint8Array };

export type CommitResult = {
  /** The server's statement of format §6.2; `null` where no server stands behind the store. */
  readonly receipt: Uint8Array | null;
};

export type Location = {
  readonly packId: Uint8Array;
  /** Of the whole frame, from the beginning of the pack. */
  readonly offset: number;
  readonly length: number;
  /** The chunk's kind as the store's index has it, where it says so. Unproven until the frame is opened. */
  readonly kind?: number;
};

export type StoredSnapshot = {
  /** The id that it is stored under. */
  readonly id: Uint8Array;
  /** The object of format §6.1; `null` where the store has a receipt for it and lacks the object. */
  readonly object: Uint8Array | null;
  /** The statement of format §6.2, where a server gave one. */
  readonly receipt: Uint8Array | null;
};

export type NamedObject = { readonly name: string; readonly bytes: Uint8Array };
