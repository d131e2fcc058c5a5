/**
 * One entry of a directory as 72 flat bytes: what `lstat` says, without what reading alone changes (atime, blocks). The same rows travel from
 * the walk to the main thread, are hashed into fingerprints, and lie in the cache: comparing two entries is comparing bytes.
 *
 * | at | type | |
 * |---|---|---|
 * | 0 | u8 | type, as in format §5.2 key 1 |
 * | 1 | u8 | flags: FLAG |
 * | 2 | u16 | length of the name |
 * | 4 | u32 | where the name begins among the names |
 * | 8, 12, 16 | u32 | mode (low 12 bits), user id, group id |
 * | 20, 24 | u32, f64 | nanoseconds and seconds of the mtime |
 * | 32 | f64 | size |
 * | 40 | u64 | inode |
 * | 48 | i64 | ctime, ns |
 * | 56 | u32 | number of links |
 * | 64 | u64 | device number of a device; the device that holds it, of a file with several links |
 */
import { createHash, hash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';

export const ROW_LENGTH = 72;
export const FINGERPRINT_LENGTH = 16;
const COMPARED_FROM = 8;
const STORED_TO = 40;

export const TYPE = { file: 0, directory: 1, symlink: 2, fifo: 3, socket: 4, char: 5, block: 6 } as const;
export type TypeNumber = (typeof TYPE)[keyof typeof TYPE];

/** `closed`: a directory that is kept, but not entered (a pseudo file system is mounted there). */
export const FLAG = { closed: 1 } as const;

const SECOND = 1_000_000_000n;
const FORMAT_BITS = 0o170000n;
const TYPES: ReadonlyMap<bigint, TypeNumber> = new Map([
  [0o100000n, TYPE.file],
  [0o040000n, TYPE.directory],
  [0o120000n, TYPE.symlink],
  [0o010000n, TYPE.fifo],
  [0o140000n, TYPE.socket],
  [0o020000n, TYPE.char],
  [0o060000n, TYPE.block],
]);

/** `undefined` for what no format has a name for (doors, whiteouts). */
export function typeOf(stat: BigIntStats): TypeNumber | undefined {
  return TYPES.get(stat.mode & FORMAT_BITS);
}

/** Writes a row; the caller adds the name. */
export function writeRow(view: DataView, at: number, stat: BigIntStats, type: TypeNumber, flags = 0): void {
  view.setUint8(at, type);
  view.setUint8(at + 1, flags);
  view.setUint16(at + 2, 0, true);
  view.setUint32(at + 4, 0, true);
  view.setUint32(at + 8, Number(stat.mode) & 0o7777, true);
  view.setUint32(at + 12, Number(stat.uid), true);
  view.setUint32(at + 16, Number(stat.gid), true);
  writeTime(view, at + 20, stat.mtimeNs);
  view.setFloat64(at + 32, Number(stat.size), true);
  view.setBigUint64(at + 40, stat.ino, true);
  view.setBigInt64(at + 48, stat.ctimeNs, true);
  view.setUint32(at + 56, Number(stat.nlink), true);
  view.setUint32(at + 60, 0, true);
  view.setBigUint64(at + 64, deviceOf(stat, type), true);
}

/** Nanoseconds, then seconds, which round towards the past (format §1). */
function writeTime(view: DataView, at: number, ns: bigint): void {
  let seconds = ns / SECOND;
  let rest = ns - seconds * SECOND;
  if (rest < 0n) {
    seconds -= 1n;
    rest += SECOND;
  }
  view.setUint32(at, Number(rest), true);
  view.setFloat64(at + 4, Number(seconds), true);
}

/** A device that is renumbered makes files with several links look changed, which only costs reading them again. */
function deviceOf(stat: BigIntStats, type: TypeNumber): bigint {
  if (type === TYPE.char || type === TYPE.block) return stat.rdev;
  return type !== TYPE.directory && stat.nlink > 1n ? stat.dev : 0n;
}

export function setName(view: DataView, at: number, nameAt: number, length: number): void {
  view.setUint16(at + 2, length, true);
  view.setUint32(at + 4, nameAt, true);
}

/** Are two entries the same but for their names? */
export function sameRow(a: Buffer, aAt: number, b: Buffer, bAt: number): boolean {
  if (a[aAt] !== b[bAt]) return false;
  return a.compare(b, bAt + COMPARED_FROM, bAt + ROW_LENGTH, aAt + COMPARED_FROM, aAt + ROW_LENGTH) === 0;
}

/** Are these two files with the same mode, owner, mtime and size? A snapshot tells no more of them. */
export function sameFile(a: Buffer, b: Buffer): boolean {
  if (a[0] !== TYPE.file || b[0] !== TYPE.file) return false;
  return a.compare(b, COMPARED_FROM, STORED_TO, COMPARED_FROM, STORED_TO) === 0;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reading one row; `rows` may be any buffer that holds rows. */
export const rowType = (rows: Buffer, at: number): TypeNumber => rows[at] as TypeNumber;
export const rowFlags = (rows: Buffer, at: number): number => rows[at + 1] as number;
export const rowNameLength = (rows: Buffer, at: number): number => rows.readUInt16LE(at + 2);
export const rowNameAt = (rows: Buffer, at: number): number => rows.readUInt32LE(at + 4);
export const rowMode = (rows: Buffer, at: number): number => rows.readUInt32LE(at + 8);
export const rowUid = (rows: Buffer, at: number): number => rows.readUInt32LE(at + 12);
export const rowGid = (rows: Buffer, at: number): number => rows.readUInt32LE(at + 16);
export const rowMtimeNsec = (rows: Buffer, at: number): number => rows.readUInt32LE(at + 20);
export const rowMtimeSec = (rows: Buffer, at: number): number => rows.readDoubleLE(at + 24);
export const rowSize = (rows: Buffer, at: number): number => rows.readDoubleLE(at + 32);
export const rowInode = (rows: Buffer, at: number): bigint => rows.readBigUInt64LE(at + 40);
export const rowCtime = (rows: Buffer, at: number): bigint => rows.readBigInt64LE(at + 48);
export const rowLinks = (rows: Buffer, at: number): number => rows.readUInt32LE(at + 56);
export const rowDevice = (rows: Buffer, at: number): bigint => rows.readBigUInt64LE(at + 64);

export function rowName(rows: Buffer, at: number, names: Buffer): Buffer {
  const from = rowNameAt(rows, at);
  return names.subarray(from, from + rowNameLength(rows, at));
}

/** Milliseconds of the later of mtime and ctime: when the entry changed last, as far as it tells. */
export function rowChangedMs(rows: Buffer, at: number): number {
  const mtime = rowMtimeSec(rows, at) * 1000 + rowMtimeNsec(rows, at) / 1e6;
  return Math.max(mtime, Number(rowCtime(rows, at)) / 1e6);
}

/** Equal for two listings only if every row and name is. */
export function fingerprintOf(rows: Buffer, names: Buffer): Buffer {
  const digest = createHash('sha256').update(rows).update(names).digest();
  return digest.subarray(0, FINGERPRINT_LENGTH);
}

/** What stands for a path in tables of a fixed width. */
export function pathHash(path: Uint8Array): Buffer {
  return hash('sha256', path, 'buffer').subarray(0, 16);
}
