// Small records that are one CBOR map (envelope, description, receipt, tombstone, key file, device list):
// read into a Map of known keys, then field by field. Trees and lists are read item by item instead.

import { type ArchiveError, invalid, unencodable, unknownVersion } from '../errors.ts';
import { type CborMap, type CborValue, decode, encode, OPTIONAL_KEYS } from './cbor.ts';

/** One field after the other; what is asked for must be there and of its type. */
export class RecordReader {
  private readonly record: string;
  private readonly map: CborMap;

  /** format §1, §9: refuses an unknown key below 128 and an unknown version (key 0). `known` lists the other keys. */
  constructor(record: string, map: CborValue, known: readonly number[], version: number | null = 1) {
    if (!(map instanceof Map)) throw invalid(record, 'it is no map');
    this.record = record;
    this.map = map;
    if (version !== null) {
      const found = this.uint(0);
      if (found !== version) throw unknownVersion(record, found);
    }
    for (const key of this.map.keys()) {
      if (key < OPTIONAL_KEYS && !known.includes(key) && !(key === 0 && version !== null))
        throw this.fail(`unknown key ${key}`);
    }
  }

  static of(record: string, bytes: Uint8Array, known: readonly number[]): RecordReader {
    return new RecordReader(record, decode(bytes, record), known);
  }

  has(key: number): boolean {
    return this.map.has(key);
  }

  uint(key: number, max: number = Number.MAX_SAFE_INTEGER): number {
    const n = this.map.get(key);
    if (typeof n !== 'number' || n < 0 || n > max) throw this.fail(`key ${key} is no number up to ${max}`);
    return n;
  }

  bytes(key: number, length?: number): Uint8Array {
    const b = this.map.get(key);
    if (!(b instanceof Uint8Array) || (length !== undefined && b.length !== length))
      throw this.fail(`key ${key} is no byte string${length === undefined ? '' : ` of ${length}`}`);
    return b;
  }

  bytesOrNull(key: number, length: number): Uint8Array | null {
    return this.map.get(key) === null ? null : this.bytes(key, length);
  }

  text(key: number): string {
    const s = this.map.get(key);
    if (typeof s !== 'string') throw this.fail(`key ${key} is no text`);
    return s;
  }

  list(key: number): readonly CborValue[] {
    const items = this.map.get(key);
    if (!Array.isArray(items)) throw this.fail(`key ${key} is no array`);
    return items;
  }

  /** Exactly `count` numbers. */
  numbers(key: number, count: number): number[] {
    const items = this.list(key);
    if (items.length !== count || !items.every((n) => typeof n === 'number' && n >= 0))
      throw this.fail(`key ${key} is not ${count} numbers`);
    return items as number[];
  }

  /** `true`, or absent for false. */
  flag(key: number): boolean {
    if (!this.map.has(key)) return false;
    if (this.map.get(key) !== true) throw this.fail(`key ${key} is true or absent`);
    return true;
  }

  fail(detail: string): ArchiveError {
    return invalid(this.record, detail);
  }
}

/** Encodes the fields that are not undefined. Refuses what its own reader would refuse. */
export function encodeRecord<T>(
  fields: readonly (readonly [number, CborValue | undefined])[],
  reread: (bytes: Uint8Array) => T,
): Uint8Array {
  const bytes = encode(new Map(fields.filter((field): field is [number, CborValue] => field[1] !== undefined)));
  try {
    reread(bytes);
  } catch (error) {
    throw unencodable('record', error instanceof Error ? error.message : String(error));
  }
  return bytes;
}
