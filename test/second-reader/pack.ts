/** Packs (format §4): from a file to where each of its frames lies. */
import { createHash } from 'node:crypto';
import { type FrameEntry, frameLength, readEntry } from './frame.ts';
import { demand, Refusal } from './refusal.ts';

export interface PackedFrame {
  /** Offset in the pack, in bytes. */
  readonly at: number;
  readonly entry: FrameEntry;
}

const MAGIC = Buffer.from('HFPACK\r\n', 'latin1');
const VERSION = 1;
const HEADER_LENGTH = 28;
const TRAILER_LENGTH = 40;
const MAX_PACK_LENGTH = 33_554_432;

export const packIdOf = (pack: Buffer): string => createHash('sha256').update(pack).digest('hex');

function demandHeader(pack: Buffer, archiveId: Buffer): void {
  demand(pack.length <= MAX_PACK_LENGTH, 'bad_pack', `a pack of ${pack.length} bytes`);
  demand(pack.length >= HEADER_LENGTH + TRAILER_LENGTH, 'bad_pack', 'a pack that ends early');
  demand(pack.subarray(0, 8).equals(MAGIC), 'bad_pack', 'not a pack');
  demand(pack.readUInt32BE(8) === VERSION, 'unknown_version', `a pack of version ${pack.readUInt32BE(8)}`);
  demand(pack.subarray(12, HEADER_LENGTH).equals(archiveId), 'wrong_archive', 'a pack of another archive');
}

/** The end of a pack: table, and the trailer that vouches for it; undefined where the two do not fit. */
function readTable(pack: Buffer): { table: Buffer; count: number } | undefined {
  const trailerAt = pack.length - TRAILER_LENGTH;
  const count = pack.readUInt32BE(trailerAt);
  const length = pack.readUInt32BE(trailerAt + 4);
  if (length > trailerAt - HEADER_LENGTH) return undefined;
  const table = pack.subarray(trailerAt - length, trailerAt);
  const hash = createHash('sha256')
    .update(table)
    .update(pack.subarray(trailerAt, trailerAt + 8))
    .digest();
  return hash.equals(pack.subarray(trailerAt + 8)) ? { table, count } : undefined;
}

/** A table that no writer meant, unlike one that lies: there the entries in front of the frames replace it. */
export const tableIsDamaged = (pack: Buffer): boolean =>
  pack.length >= HEADER_LENGTH + TRAILER_LENGTH && readTable(pack) === undefined;

function readRow(table: Buffer, at: number): PackedFrame {
  demand(at + 4 <= table.length, 'bad_pack', 'a table that ends early');
  return { at: table.readUInt32BE(at), entry: readEntry(table, at + 4) };
}

function readRows(table: Buffer, count: number): PackedFrame[] {
  const rows: PackedFrame[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const row = readRow(table, at);
    rows.push(row);
    at += 4 + row.entry.encoded.length;
  }
  demand(at === table.length, 'bad_pack', 'bytes behind the last row of a table');
  return rows;
}

/** Reads a pack's table and holds it against the frames: no gap, no overlap, the same entries. */
export function readPack(pack: Buffer, archiveId: Buffer): PackedFrame[] {
  demandHeader(pack, archiveId);
  const end = readTable(pack);
  demand(end !== undefined, 'bad_pack', 'a table that its trailer does not match');
  const { table, count } = end;
  const frames = readRows(table, count);
  let expected = HEADER_LENGTH;
  for (const { at, entry } of frames) {
    demand(at === expected, 'bad_pack', `a frame said to be at ${at} instead of ${expected}`);
    const stored = pack.subarray(at, at + entry.encoded.length);
    demand(stored.equals(entry.encoded), 'bad_pack', 'a table that disagrees with an entry');
    expected = at + frameLength(entry);
  }
  demand(expected === pack.length - TRAILER_LENGTH - table.length, 'bad_pack', 'bytes between frames and table');
  return frames;
}

/** What can be found in a pack with a damaged table: the entries in front of the frames, until one makes no sense. */
export function scanPack(pack: Buffer, archiveId: Buffer): PackedFrame[] {
  demandHeader(pack, archiveId);
  const frames: PackedFrame[] = [];
  let at = HEADER_LENGTH;
  try {
    for (;;) {
      const entry = readEntry(pack, at);
      demand(at + frameLength(entry) <= pack.length, 'bad_pack', 'a frame that ends early');
      frames.push({ at, entry });
      at += frameLength(entry);
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return frames;
  }
}
