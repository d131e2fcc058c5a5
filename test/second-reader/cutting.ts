/** Where the format says that a writer cuts (§2.1, §3.3, §5.4). A reader needs none of it; a test of a writer does. */
import { type ArchiveKeys, type CutParams, hmac } from './keys.ts';

/** The low bits of a border hash that are zero at a border. */
const BORDER_MASK = 0x1ff;

export type BorderLabel = 'holdfast part' | 'holdfast list';

/** The 256 u32 of an archive. */
export function gearTable(chunkerKey: Buffer): Uint32Array {
  const rows = Buffer.concat(Array.from({ length: 32 }, (_, row) => hmac(chunkerKey, 'holdfast gear', Buffer.of(row))));
  return Uint32Array.from({ length: 256 }, (_, at) => rows.readUInt32BE(at * 4));
}

export const borderHash = (chunkerKey: Buffer, label: BorderLabel, level: number, bytes: Buffer): number =>
  hmac(chunkerKey, label, Buffer.of(level), bytes).readUInt32BE(0);

export const isBorder = (
  keys: Pick<ArchiveKeys, 'chunkerKey'>,
  label: BorderLabel,
  level: number,
  bytes: Buffer,
): boolean => (borderHash(keys.chunkerKey, label, level, bytes) & BORDER_MASK) === 0;

/** The length of the piece at the start of `run`. */
function firstCut(run: Buffer, gear: Uint32Array, { min, normal, max, strictBits, looseBits }: CutParams): number {
  const end = Math.min(run.length, max);
  let hash = 0;
  for (let at = min; at < end; at++) {
    hash = ((hash << 1) + gear[run[at]!]!) >>> 0;
    const bits = at < normal ? strictBits : looseBits;
    if (hash >>> (32 - bits) === 0) return at + 1;
  }
  return end;
}

/** The lengths of the pieces that a run of bytes is cut into. */
export function cut(run: Buffer, gear: Uint32Array, params: CutParams): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < run.length; at += lengths.at(-1)!) lengths.push(firstCut(run.subarray(at), gear, params));
  return lengths;
}
