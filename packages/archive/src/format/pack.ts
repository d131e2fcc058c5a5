// A pack (format §4) is a file of many frames, about 16 MiB, named by the SHA-256 of its bytes. A table
// at its end repeats the entries, so that an index is built without reading the frames.
// Nouns: frame, table (offset and entry of each frame), trailer (count, length and hash of the table).
//
//   write:  header, frames, then table and trailer                    PackWriter
//   read:   trailer -> table -> compare with the frames               readPackTable; readPackTail from the end alone
//   repair: a table that does not hash is replaced by the entries in front of the frames
//   ingest: pack-stream.ts checks the same while the bytes arrive
//
// Hashing is the caller's: a server has no key code, and a browser has no synchronous SHA-256.

import { ArchiveError, invalid, unencodable, unknownVersion } from '../errors.ts';
import { ascii, concatBytes, readU32, writeU32 } from './bytes.ts';
import { type ChunkEntry, decodeEntry, ENTRY_LENGTH, encodeEntry } from './entry.ts';
import { ARCHIVE_ID_LENGTH, compareBytes, equalBytes } from './ids.ts';

export const PACK_TARGET: number = 16 * 1024 * 1024;
export const PACK_MAX: number = 32 * 1024 * 1024;
export const PACK_HEADER_LENGTH = 28;
export const PACK_TRAILER_LENGTH = 40;
export const PACK_VERSION = 1;
const MAGIC = ascii('HFPACK\r\n');

/** SHA-256 as the caller has it, e.g. `() => createHash('sha256')`. */
export type NewHash = () => { update(bytes: Uint8Array): unknown; digest(): Uint8Array };

/** Where a frame lies in its pack; `length` counts the whole frame with its entry. */
export type PackedFrame = { readonly offset: number; readonly length: number; readonly entry: ChunkEntry };

export function encodePackHeader(archiveId: Uint8Array): Uint8Array {
  if (archiveId.length !== ARCHIVE_ID_LENGTH) throw unencodable('pack', 'an archive id has 16 bytes');
  const version = new Uint8Array(4);
  writeU32(version, 0, PACK_VERSION);
  return concatBytes(MAGIC, version, archiveId);
}

/** Returns the archive id of the header; refuses another than `archiveId`, if that is given. */
export function decodePackHeader(header: Uint8Array, archiveId: Uint8Array | null): Uint8Array {
  if (header.length < PACK_HEADER_LENGTH || compareBytes(header.subarray(0, 8), MAGIC) !== 0)
    throw invalid('pack', 'it does not begin like a pack');
  const version = readU32(header, 8);
  if (version !== PACK_VERSION) throw unknownVersion('pack', version);
  const id = header.subarray(12, PACK_HEADER_LENGTH);
  if (archiveId !== null && !equalBytes(id, archiveId)) throw new ArchiveError('wrong_archive', { record: 'pack' });
  return id;
}

/** Collects frames; `size` is what the finished pack will take. The memory is handed out by `finish`. */
export class PackWriter {
  private buffer: Uint8Array;
  private at = PACK_HEADER_LENGTH;
  private readonly rows: Uint8Array[] = [];
  private tableLength = 0;
  private readonly newHash: NewHash;

  /** `memory` is where the pack begins to grow, or how much to begin with. */
  constructor(archiveId: Uint8Array, newHash: NewHash, memory: Uint8Array | number = 1024 * 1024) {
    this.newHash = newHash;
    this.buffer = typeof memory === 'number' ? new Uint8Array(Math.max(memory, PACK_HEADER_LENGTH)) : memory;
    this.buffer.set(encodePackHeader(archiveId));
  }

  get count(): number {
    return this.rows.length;
  }

  get size(): number {
    return this.at + this.tableLength + PACK_TRAILER_LENGTH;
  }

  /** Would the pack stay within PACK_MAX? */
  fits(frame: Uint8Array): boolean {
    const { length } = decodeEntry(frame);
    return this.size + frame.length + 4 + length <= PACK_MAX;
  }

  /** Appends one whole frame and returns its offset. */
  add(frame: Uint8Array): number {
    const { entry, length } = decodeEntry(frame);
    if (frame.length !== length + entry.storedLength)
      throw unencodable('pack', 'a frame is not as long as its entry says');
    if (this.size + frame.length + 4 + length > PACK_MAX)
      throw unencodable('pack', 'it would grow over its largest size');
    const offset = this.at;
    this.reserve(frame.length);
    this.buffer.set(frame, offset);
    this.at += frame.length;
    this.rows.push(tableRow(offset, frame.subarray(0, length)));
    this.tableLength += 4 + length;
    return offset;
  }

  finish(): Uint8Array {
    const tail = encodePackTail(this.rows, this.newHash);
    this.reserve(tail.length);
    this.buffer.set(tail, this.at);
    return this.buffer.subarray(0, this.at + tail.length);
  }

  private reserve(count: number): void {
    if (this.at + count <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(this.at + count, Math.min(this.buffer.length * 2, PACK_MAX)));
    larger.set(this.buffer.subarray(0, this.at));
    this.buffer = larger;
  }
}

function tableRow(offset: number, entryBytes: Uint8Array): Uint8Array {
  const row = new Uint8Array(4 + entryBytes.length);
  writeU32(row, 0, offset);
  row.set(entryBytes, 4);
  return row;
}

function encodePackTail(rows: readonly Uint8Array[], newHash: NewHash): Uint8Array {
  const table = concatBytes(...rows);
  const numbers = new Uint8Array(8);
  writeU32(numbers, 0, rows.length);
  writeU32(numbers, 4, table.length);
  return concatBytes(table, numbers, hashOf(newHash, table, numbers));
}

function hashOf(newHash: NewHash, ...parts: readonly Uint8Array[]): Uint8Array {
  const hash = newHash();
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Table and trailer for frames that lie elsewhere already, e.g. in a file that is copied. */
export function encodePackTable(frames: readonly PackedFrame[], newHash: NewHash): Uint8Array {
  return encodePackTail(
    frames.map((frame) => tableRow(frame.offset, encodeEntry(frame.entry))),
    newHash,
  );
}

/**
 * The frames of a whole pack in memory. A table that hashes must describe the frames exactly; one that
 * does not hash is damaged, and the entries in front of the frames stand in for it.
 */
export function readPackTable(pack: Uint8Array, archiveId: Uint8Array | null, newHash: NewHash): PackedFrame[] {
  if (pack.length > PACK_MAX) throw invalid('pack', `${pack.length} bytes are too many`);
  decodePackHeader(pack, archiveId);
  const tail = intactTail(pack, newHash);
  if (tail === null) return walkPackFrames(pack);
  const frames = decodeTable(tail.table, tail.count, tail.tableAt);
  for (const frame of frames) compareEntry(pack, frame);
  return frames;
}

function intactTail(pack: Uint8Array, newHash: NewHash): { table: Uint8Array; count: number; tableAt: number } | null {
  const trailerAt = pack.length - PACK_TRAILER_LENGTH;
  if (trailerAt < PACK_HEADER_LENGTH) return null;
  const tableLength = readU32(pack, trailerAt + 4);
  const tableAt = trailerAt - tableLength;
  if (tableAt < PACK_HEADER_LENGTH) return null;
  const hash = hashOf(newHash, pack.subarray(tableAt, trailerAt + 8));
  if (!equalBytes(hash, pack.subarray(trailerAt + 8))) return null;
  return { table: pack.subarray(tableAt, trailerAt), count: readU32(pack, trailerAt), tableAt };
}

function compareEntry(pack: Uint8Array, frame: PackedFrame): void {
  const inTable = encodeEntry(frame.entry);
  if (!equalBytes(inTable, pack.subarray(frame.offset, frame.offset + inTable.length)))
    throw new ArchiveError('pack_invalid', {
      detail: `the table contradicts the frame at ${frame.offset}`,
      id: frame.entry.id,
    });
}

/** Rows of a table whose hash was right: offsets from 28 on without gaps, up to where the table begins. */
export function decodeTable(table: Uint8Array, count: number, tableAt: number): PackedFrame[] {
  const refuse = (detail: string) => new ArchiveError('pack_invalid', { detail });
  const frames: PackedFrame[] = [];
  let at = 0;
  let next = PACK_HEADER_LENGTH;
  for (let i = 0; i < count; i++) {
    if (at + 4 + ENTRY_LENGTH > table.length) throw refuse('the table is shorter than its count');
    const { entry, length } = decodeEntry(table, at + 4);
    const offset = readU32(table, at);
    if (offset !== next) throw refuse(`a frame at ${offset} where ${next} was due`);
    next += length + entry.storedLength;
    frames.push({ offset, length: next - offset, entry });
    at += 4 + length;
  }
  if (at !== table.length) throw refuse('the table is longer than its count');
  if (next !== tableAt) throw refuse('the frames do not end where the table begins');
  return frames;
}

/** The frames as far as their own entries lead: what is left of a pack whose table is damaged. */
export function walkPackFrames(pack: Uint8Array): PackedFrame[] {
  const frames: PackedFrame[] = [];
  for (let offset = PACK_HEADER_LENGTH; ; ) {
    const frame = frameAt(pack, offset);
    if (frame === null) return frames;
    frames.push(frame);
    offset += frame.length;
  }
}

function frameAt(pack: Uint8Array, offset: number): PackedFrame | null {
  try {
    const { entry, length } = decodeEntry(pack, offset);
    const whole = length + entry.storedLength;
    return offset + whole <= pack.length ? { offset, length: whole, entry } : null;
  } catch (error) {
    // The first byte of a table is zero, never an entry's version: here, or at damage, the walk ends.
    if (error instanceof ArchiveError) return null;
    throw error;
  }
}

/**
 * The frames by the end of a pack alone. `tail` is the last bytes of a pack of `packLength` bytes; when
 * they do not hold the whole table, `need` says how many last bytes do.
 */
export function readPackTail(
  tail: Uint8Array,
  packLength: number,
  newHash: NewHash,
): PackedFrame[] | { readonly need: number } {
  const refuse = (detail: string) => new ArchiveError('pack_invalid', { detail });
  if (packLength > PACK_MAX || packLength < PACK_HEADER_LENGTH + PACK_TRAILER_LENGTH || tail.length > packLength)
    throw refuse(`a pack of ${packLength} bytes`);
  if (tail.length < PACK_TRAILER_LENGTH) return { need: PACK_TRAILER_LENGTH };
  const trailerAt = tail.length - PACK_TRAILER_LENGTH;
  const tableLength = readU32(tail, trailerAt + 4);
  const need = tableLength + PACK_TRAILER_LENGTH;
  if (need > packLength - PACK_HEADER_LENGTH) throw refuse('the table is longer than the pack');
  if (need > tail.length) return { need };
  const tableFrom = tail.length - need;
  if (!equalBytes(hashOf(newHash, tail.subarray(tableFrom, trailerAt + 8)), tail.subarray(trailerAt + 8)))
    throw refuse('the table does not hash to what the trailer says');
  return decodeTable(tail.subarray(tableFrom, trailerAt), readU32(tail, trailerAt), packLength - need);
}
