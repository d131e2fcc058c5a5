/** The deterministic CBOR of format §1, reading only: one item, and nothing after it. */
import { demand, Refusal } from './refusal.ts';

export type Value = number | string | boolean | null | Buffer | readonly Value[] | CborMap;
export type CborMap = ReadonlyMap<number, Value>;

/** Arrays and maps inside each other; a plain item inside the innermost one does not count. */
const MAX_DEPTH = 16;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

export function decodeCbor(bytes: Buffer): Value {
  const cursor = { bytes, at: 0 };
  const value = readItem(cursor, 0);
  demand(cursor.at === bytes.length, 'malformed', `${bytes.length - cursor.at} bytes after the CBOR item`);
  return value;
}

function take(cursor: Cursor, length: number): Buffer {
  demand(length <= cursor.bytes.length - cursor.at, 'malformed', 'CBOR ends early');
  cursor.at += length;
  return cursor.bytes.subarray(cursor.at - length, cursor.at);
}

/** The number that follows an item's first byte; refuses one that a shorter head could carry. */
function readArgument(cursor: Cursor, info: number): number {
  if (info < 24) return info;
  demand(info < 28, 'malformed', `CBOR head with length code ${info}`);
  const size = 1 << (info - 24);
  const digits = take(cursor, size);
  const wide = size === 8 ? digits.readBigUInt64BE() : BigInt(digits.readUIntBE(0, size));
  const least = size === 1 ? 24n : 1n << BigInt(4 * size);
  demand(wide >= least, 'malformed', 'CBOR head that is not the shortest');
  demand(wide <= BigInt(Number.MAX_SAFE_INTEGER), 'malformed', 'CBOR number beyond 2^53 - 1');
  return Number(wide);
}

function readNegative(argument: number): number {
  demand(argument < Number.MAX_SAFE_INTEGER, 'malformed', 'CBOR number beyond -(2^53 - 1)');
  return -1 - argument;
}

function readText(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new Refusal('malformed', 'CBOR text that is not UTF-8', { cause });
  }
}

function readArray(cursor: Cursor, count: number, depth: number): Value[] {
  demand(depth <= MAX_DEPTH, 'malformed', 'CBOR nested too deep');
  const items: Value[] = [];
  for (let index = 0; index < count; index++) items.push(readItem(cursor, depth));
  return items;
}

function readMap(cursor: Cursor, count: number, depth: number): CborMap {
  demand(depth <= MAX_DEPTH, 'malformed', 'CBOR nested too deep');
  const map = new Map<number, Value>();
  let last = -1;
  for (let index = 0; index < count; index++) {
    const key = readItem(cursor, depth);
    demand(
      typeof key === 'number' && key > last,
      'malformed',
      'CBOR map keys that are not ascending unsigned integers',
    );
    map.set(key, readItem(cursor, depth));
    last = key;
  }
  return map;
}

function readSimple(info: number): Value {
  switch (info) {
    case 20:
      return false;
    case 21:
      return true;
    case 22:
      return null;
    default:
      throw new Refusal('malformed', `CBOR simple value or float ${info}`);
  }
}

function readItem(cursor: Cursor, depth: number): Value {
  const head = take(cursor, 1).readUInt8();
  const major = head >> 5;
  if (major === 7) return readSimple(head & 31);
  demand(major !== 6, 'malformed', 'CBOR tag');
  const argument = readArgument(cursor, head & 31);
  switch (major) {
    case 0:
      return argument;
    case 1:
      return readNegative(argument);
    case 2:
      return take(cursor, argument);
    case 3:
      return readText(take(cursor, argument));
    case 4:
      return readArray(cursor, argument, depth + 1);
    default:
      return readMap(cursor, argument, depth + 1);
  }
}
