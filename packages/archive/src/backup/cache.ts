/**
 * What this machine remembers of the last backup of one set to one destination: for each directory its fingerprint, its tree's id and its
 * record (record.ts); the lengths of bundles; the last snapshot object. It only saves work: without it, or with a damaged one, a
 * backup reads everything again.
 *
 * Directories stand under the hash of their path. A row is 136 bytes in one buffer, records are read when they are needed:
 *
 * ```
 * path hash (16) · fingerprint (16) · tree id (32) · f64 record at · u32 its length · u32 its crc ·
 * f64 oldest deletion (0: none) · f64 files, directories, others, bytes of the whole subtree · u32 x 4 spare
 * ```
 * A transaction's payload is `u32 rows, u32 bundles, u32 length of the note · rows · bundles (id prefix 16, u32 length) · note`; a row whose
 * record has length 0 is a directory that is no more.
 */
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { release } from '../crypto-node/release.ts';
import { FileLog, MemoryLog, type RecordLog } from './cache-log.ts';
import { DirectoryRecord } from './record.ts';

const ROW = 136;
const PREFIX = 16;
const BUNDLE = PREFIX + 4;
const PAYLOAD_HEAD = 12;
/** Dead bytes that are not worth rewriting the file for. */
const SLACK = 4 * 1024 * 1024;
const PRIVATE = 0o700;
const RECENT = 32;
/** Bytes of records that are read together: a read of one takes longer than the record itself. */
const WINDOW = 256 * 1024;

export type Totals = {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  readonly bytes: number;
};
/** Where a record lies; stays good whatever replaces it. */
export type RecordPlace = { readonly at: number; readonly length: number; readonly crc: number };
export type DirectoryState = {
  readonly fingerprint: Uint8Array;
  readonly tree: Uint8Array;
  /** ms, 0 without gone entries. */
  readonly oldestGone: number;
  readonly totals: Totals;
};

/** A record that does not hash to what its row says. The cache is of no use any more. */
export class CacheDamaged extends Error {}

export class Cache {
  private log: RecordLog;
  private readonly path: string | null;
  private readonly binding: Buffer;
  private rows: Buffer = Buffer.alloc(64 * ROW);
  private count = 0;
  private readonly index = new Map<string, number>();
  private changed = new Set<number>();
  private readonly bundles = new Map<string, number>();
  private newBundles = new Set<string>();
  private liveBytes = 0;
  /** Copies of a directory are read file by file. */
  private readonly recent = new Map<number, DirectoryRecord>();
  private ownNote: Buffer = Buffer.alloc(0);
  private noteChanged = false;
  /** A cache was there that could not be used. */
  wasDamaged = false;

  private constructor(log: RecordLog, path: string | null, binding: Buffer) {
    this.log = log;
    this.path = path;
    this.binding = binding;
  }

  /** `owner` is whatever the cache belongs to: another owner's is not found. */
  static open(directory: string | null, owner: readonly Uint8Array[]): Cache {
    const binding = hash('sha256', Buffer.concat(owner), 'buffer');
    if (directory === null) return new Cache(new MemoryLog(), null, binding);
    mkdirSync(directory, { recursive: true, mode: PRIVATE });
    const path = join(directory, `${binding.toString('hex', 0, 16)}.cache`);
    const opened = FileLog.open(path, binding);
    const wholes = opened?.payloads.map(partsOf) ?? [];
    if (opened === null || wholes.includes(null)) {
      opened?.log.close();
      const fresh = new Cache(FileLog.create(path, binding), path, binding);
      fresh.wasDamaged = existsSync(path);
      return fresh;
    }
    const cache = new Cache(opened.log, path, binding);
    for (const parts of wholes) if (parts !== null) cache.apply(parts);
    cache.changed.clear();
    return cache;
  }

  /** What the owner wanted to find again, `null` if nothing. */
  get note(): Buffer | null {
    return this.ownNote.length > 0 ? this.ownNote : null;
  }

  setNote(bytes: Uint8Array): void {
    if (this.ownNote.equals(bytes)) return;
    this.ownNote = Buffer.from(bytes);
    this.noteChanged = true;
  }

  get isEmpty(): boolean {
    return this.index.size === 0;
  }

  get size(): number {
    return this.index.size;
  }

  /** Of all directories that stand in it. */
  get recordBytes(): number {
    return this.liveBytes;
  }

  /** The row of a directory, or -1. */
  find(pathHash: Buffer): number {
    return this.index.get(pathHash.toString('latin1')) ?? -1;
  }

  *all(): Iterable<number> {
    yield* this.index.values();
  }

  pathHash(row: number): Buffer {
    return this.rows.subarray(row * ROW, row * ROW + 16);
  }

  fingerprint(row: number): Buffer {
    return this.rows.subarray(row * ROW + 16, row * ROW + 32);
  }

  tree(row: number): Buffer {
    return Buffer.from(this.rows.subarray(row * ROW + 32, row * ROW + 64));
  }

  place(row: number): RecordPlace {
    const at = row * ROW;
    const { rows } = this;
    return { at: rows.readDoubleLE(at + 64), length: rows.readUInt32LE(at + 72), crc: rows.readUInt32LE(at + 76) };
  }

  oldestGone(row: number): number {
    return this.rows.readDoubleLE(row * ROW + 80);
  }

  totals(row: number): Totals {
    const [files, directories, others, bytes] = [88, 96, 104, 112].map((at) => this.rows.readDoubleLE(row * ROW + at));
    return { files, directories, others, bytes } as Totals;
  }

  /**
   * The records of all directories, in the order of `all`, each good until the next one is asked for. Those that lie one after the other
   * are read together, and their memory is given back: left to the collector, all of it would be there at once.
   */
  *records(): Iterable<{ readonly place: RecordPlace; readonly record: DirectoryRecord }> {
    let window: { readonly at: number; readonly bytes: Buffer } = { at: 0, bytes: Buffer.alloc(0) };
    for (const row of this.index.values()) {
      const place = this.place(row);
      this.requireInside(place);
      if (place.at < window.at || place.at + place.length > window.at + window.bytes.length) {
        release(window.bytes);
        window = { at: place.at, bytes: this.log.read(place.at, Math.max(place.length, WINDOW)) };
      }
      const from = place.at - window.at;
      yield { place, record: checked(window.bytes.subarray(from, from + place.length), place) };
    }
    release(window.bytes);
  }

  record(place: RecordPlace): DirectoryRecord {
    const recent = this.recent.get(place.at);
    if (recent) return recent;
    this.requireInside(place);
    const record = checked(this.log.read(place.at, place.length), place);
    if (this.recent.size >= RECENT) this.recent.clear();
    this.recent.set(place.at, record);
    return record;
  }

  put(pathHash: Buffer, state: DirectoryState, record: Buffer): RecordPlace {
    const row = this.rowFor(pathHash);
    this.liveBytes += record.length - this.place(row).length;
    const place = { at: this.log.append(record), length: record.length, crc: crc32(record) };
    const at = row * ROW;
    const { rows } = this;
    rows.set(state.fingerprint, at + 16);
    rows.set(state.tree, at + 32);
    rows.writeDoubleLE(place.at, at + 64);
    rows.writeUInt32LE(place.length, at + 72);
    rows.writeUInt32LE(place.crc, at + 76);
    const { files, directories, others, bytes } = state.totals;
    for (const [i, n] of [state.oldestGone, files, directories, others, bytes].entries())
      rows.writeDoubleLE(n, at + 80 + 8 * i);
    this.changed.add(row);
    return place;
  }

  /** Forgets every directory that is not among `rows`. */
  retain(rows: ReadonlySet<number>): void {
    for (const [key, row] of this.index) {
      if (rows.has(row)) continue;
      this.liveBytes -= this.place(row).length;
      this.rows.writeUInt32LE(0, row * ROW + 72);
      this.index.delete(key);
      this.changed.add(row);
    }
  }

  bundleLength(id: Uint8Array): number | undefined {
    return this.bundles.get(keyOf(id));
  }

  setBundle(id: Uint8Array, length: number): void {
    const key = keyOf(id);
    if (this.bundles.get(key) === length) return;
    this.bundles.set(key, length);
    this.newBundles.add(key);
  }

  /** Makes the present state the one that is found next time. */
  commit(): void {
    if (this.changed.size === 0 && this.newBundles.size === 0 && !this.noteChanged) return;
    if (this.path !== null && this.log.size > 2 * this.liveBytes + SLACK) this.compact(this.path);
    this.log.commit(this.payload([...this.changed], [...this.newBundles]));
    this.changed.clear();
    this.newBundles.clear();
    this.noteChanged = false;
  }

  close(): void {
    this.log.close();
  }

  /** Throws the stored cache away. */
  discard(): void {
    if (this.path !== null) rmSync(this.path, { force: true });
  }

  /** A length that lies would be allocated before anything is read. */
  private requireInside({ at, length }: RecordPlace): void {
    if (!(Number.isSafeInteger(at) && at >= 0 && at + length <= this.log.size)) throw new CacheDamaged();
  }

  private compact(path: string): void {
    const fresh = FileLog.create(path, this.binding);
    for (const row of this.index.values()) {
      const place = this.place(row);
      const bytes = this.log.read(place.at, place.length);
      if (crc32(bytes) !== place.crc) throw new CacheDamaged();
      this.rows.writeDoubleLE(fresh.append(bytes), row * ROW + 64);
    }
    this.log.close();
    this.log = fresh;
    this.recent.clear();
    this.changed = new Set(this.index.values());
    this.newBundles = new Set(this.bundles.keys());
  }

  private payload(rows: readonly number[], bundles: readonly string[]): Buffer {
    const head = Buffer.alloc(PAYLOAD_HEAD);
    head.writeUInt32LE(rows.length, 0);
    head.writeUInt32LE(bundles.length, 4);
    head.writeUInt32LE(this.ownNote.length, 8);
    const table = Buffer.alloc(bundles.length * BUNDLE);
    for (const [i, key] of bundles.entries()) {
      table.write(key, i * BUNDLE, 'latin1');
      table.writeUInt32LE(this.bundles.get(key) as number, i * BUNDLE + PREFIX);
    }
    return Buffer.concat([
      head,
      ...rows.map((row) => this.rows.subarray(row * ROW, (row + 1) * ROW)),
      table,
      this.ownNote,
    ]);
  }

  private apply({ rows, bundles, note }: Parts): void {
    for (let at = 0; at < rows.length; at += ROW) this.applyRow(rows.subarray(at, at + ROW));
    for (let at = 0; at < bundles.length; at += BUNDLE) {
      this.bundles.set(bundles.toString('latin1', at, at + PREFIX), bundles.readUInt32LE(at + PREFIX));
    }
    this.ownNote = note;
  }

  private applyRow(bytes: Buffer): void {
    const row = this.rowFor(bytes.subarray(0, 16));
    this.liveBytes -= this.place(row).length;
    bytes.copy(this.rows, row * ROW);
    this.liveBytes += this.place(row).length;
    if (this.place(row).length === 0) this.index.delete(bytes.toString('latin1', 0, 16));
  }

  private rowFor(pathHash: Buffer): number {
    const key = pathHash.toString('latin1');
    const known = this.index.get(key);
    if (known !== undefined) return known;
    const row = this.count++;
    if (this.count * ROW > this.rows.length) this.rows = Buffer.concat([this.rows], this.rows.length * 2);
    pathHash.copy(this.rows, row * ROW);
    this.index.set(key, row);
    return row;
  }
}

function checked(bytes: Buffer, { length, crc }: RecordPlace): DirectoryRecord {
  if (bytes.length !== length || crc32(bytes) !== crc) throw new CacheDamaged();
  return new DirectoryRecord(bytes);
}

const keyOf = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, PREFIX).toString('latin1');

type Parts = { readonly rows: Buffer; readonly bundles: Buffer; readonly note: Buffer };

/** `null` when a payload is not as long as its counts say. */
function partsOf(payload: Buffer): Parts | null {
  if (payload.length < PAYLOAD_HEAD) return null;
  const bundlesAt = PAYLOAD_HEAD + payload.readUInt32LE(0) * ROW;
  const noteAt = bundlesAt + payload.readUInt32LE(4) * BUNDLE;
  if (noteAt + payload.readUInt32LE(8) !== payload.length) return null;
  return {
    rows: payload.subarray(PAYLOAD_HEAD, bundlesAt),
    bundles: payload.subarray(bundlesAt, noteAt),
    note: payload.subarray(noteAt),
  };
}
