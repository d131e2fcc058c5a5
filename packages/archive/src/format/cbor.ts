// Deterministic CBOR, the subset of format §1: shortest heads, definite lengths, maps with ascending
// unsigned keys, integers up to 2^53 - 1, no floats and no tags. A writer and a reader of typed items
// serve the records (no Map per tree entry); `encode` and `decode` handle any value of the subset.
// Reading allocates nothing that the bytes at hand do not account for, and nests 16 deep at most.

import { type ArchiveError, invalid, unencodable } from '../errors.ts';

export type CborValue = number | string | boolean | null | Uint8Array | readonly CborValue[] | CborMap;
export type CborMap = ReadonlyMap<number, CborValue>;

export const MAX_DEPTH = 16;
/** Map keys from here on may be skipped by a reader that does not know them. */
export const OPTIONAL_KEYS = 128;

const MAJOR = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, simple: 7 } as const;
const FALSE = 0xf4;
const TRUE = 0xf5;
const NULL = 0xf6;

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Appends items one after the other; the caller keeps map keys ascending and counts right. */
export class CborWriter {
  private buffer: Uint8Array;
  private at = 0;

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity);
  }

  uint(n: number): void {
    if (!Number.isSafeInteger(n) || n < 0) throw unencodable('cbor', `${n} is no unsigned integer`);
    this.head(MAJOR.uint, n);
  }

  int(n: number): void {
    if (!Number.isSafeInteger(n)) throw unencodable('cbor', `${n} is no integer`);
    if (n < 0) this.head(MAJOR.negative, -1 - n);
    else this.head(MAJOR.uint, n);
  }

  bytes(b: Uint8Array): void {
    this.head(MAJOR.bytes, b.length);
    this.raw(b);
  }

  text(s: string): void {
    if (!s.isWellFormed()) throw unencodable('cbor', 'text with a lone surrogate');
    const b = utf8.encode(s);
    this.head(MAJOR.text, b.length);
    this.raw(b);
  }

  array(count: number): void {
    this.head(MAJOR.array, count);
  }

  map(count: number): void {
    this.head(MAJOR.map, count);
  }

  boolean(value: boolean): void {
    this.byte(value ? TRUE : FALSE);
  }

  null(): void {
    this.byte(NULL);
  }

  /** Items that are encoded already. */
  raw(b: Uint8Array): void {
    this.reserve(b.length);
    this.buffer.set(b, this.at);
    this.at += b.length;
  }

  get length(): number {
    return this.at;
  }

  finish(): Uint8Array {
    return this.buffer.slice(0, this.at);
  }

  private byte(b: number): void {
    this.reserve(1);
    this.buffer[this.at++] = b;
  }

  private head(major: number, n: number): void {
    this.reserve(9);
    const b = this.buffer;
    const m = major << 5;
    if (n < 24) {
      b[this.at++] = m | n;
    } else if (n < 0x100) {
      b[this.at++] = m | 24;
      b[this.at++] = n;
    } else if (n < 0x10000) {
      b[this.at++] = m | 25;
      b[this.at++] = n >>> 8;
      b[this.at++] = n;
    } else if (n <= 0xffffffff) {
      b[this.at++] = m | 26;
      this.u32(n);
    } else {
      b[this.at++] = m | 27;
      this.u32(Math.floor(n / 0x100000000));
      this.u32(n % 0x100000000);
    }
  }

  private u32(n: number): void {
    const b = this.buffer;
    b[this.at++] = n >>> 24;
    b[this.at++] = n >>> 16;
    b[this.at++] = n >>> 8;
    b[this.at++] = n;
  }

  private reserve(count: number): void {
    if (this.at + count <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.at + count));
    larger.set(this.buffer.subarray(0, this.at));
    this.buffer = larger;
  }
}

/** Reads typed items; byte strings are views of the input. `record` names what is read, in errors. */
export class CborReader {
  private readonly input: Uint8Array;
  private readonly record: string;
  private at = 0;
  private argument = 0;

  constructor(input: Uint8Array, record: string) {
    this.input = input;
    this.record = record;
  }

  uint(): number {
    this.expect(MAJOR.uint);
    return this.argument;
  }

  int(): number {
    const major = this.head();
    if (major === MAJOR.uint) return this.argument;
    if (major !== MAJOR.negative) throw this.fail('an integer was expected');
    return this.negative();
  }

  /** `length` refuses byte strings of another length. */
  bytes(length?: number): Uint8Array {
    this.expect(MAJOR.bytes);
    const b = this.take();
    if (length !== undefined && b.length !== length) throw this.fail(`${length} bytes were expected, not ${b.length}`);
    return b;
  }

  text(): string {
    this.expect(MAJOR.text);
    return this.textOf(this.take());
  }

  /** Returns the count of items that follow. */
  array(): number {
    this.expect(MAJOR.array);
    return this.counted(1);
  }

  /** Returns the count of pairs that follow. */
  map(): number {
    this.expect(MAJOR.map);
    return this.counted(2);
  }

  /** A map's next key; `last` is the one before (-1 at the beginning). */
  key(last: number): number {
    const key = this.uint();
    if (key <= last) throw this.fail('map keys repeat or do not ascend');
    return key;
  }

  boolean(): boolean {
    const b = this.input[this.at];
    if (b !== TRUE && b !== FALSE) throw this.fail('true or false was expected');
    this.at++;
    return b === TRUE;
  }

  /** Takes a `null` if one is next. */
  takeNull(): boolean {
    if (this.input[this.at] !== NULL) return false;
    this.at++;
    return true;
  }

  /** format §1: refuses an unknown key below 128, skips the value of another. `depth` counts the maps and arrays around it. */
  unknown(key: number, depth: number): void {
    if (key < OPTIONAL_KEYS) throw this.fail(`unknown key ${key}`);
    this.value(depth);
  }

  value(depth = 0): CborValue {
    const first = this.input[this.at];
    if (first === NULL || first === TRUE || first === FALSE) {
      this.at++;
      return first === NULL ? null : first === TRUE;
    }
    const major = this.head();
    switch (major) {
      case MAJOR.uint:
        return this.argument;
      case MAJOR.negative:
        return this.negative();
      case MAJOR.bytes:
        return this.take();
      case MAJOR.text:
        return this.textOf(this.take());
      case MAJOR.array:
        return this.arrayOf(this.counted(1), this.deeper(depth));
      case MAJOR.map:
        return this.mapOf(this.counted(2), this.deeper(depth));
      default:
        throw this.fail('floats, tags and other simple values do not occur');
    }
  }

  /** Refuses bytes left over. */
  end(): void {
    if (this.at !== this.input.length) throw this.fail('bytes are left over');
  }

  fail(detail: string): ArchiveError {
    return invalid(this.record, `${detail} (at byte ${this.at})`);
  }

  private arrayOf(count: number, depth: number): CborValue[] {
    const items: CborValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(depth));
    return items;
  }

  private mapOf(count: number, depth: number): CborMap {
    const map = new Map<number, CborValue>();
    let last = -1;
    for (let i = 0; i < count; i++) {
      last = this.key(last);
      map.set(last, this.value(depth));
    }
    return map;
  }

  private deeper(depth: number): number {
    if (depth >= MAX_DEPTH) throw this.fail(`nested more than ${MAX_DEPTH} deep`);
    return depth + 1;
  }

  private expect(major: number): void {
    if (this.head() !== major) throw this.fail('an item of another type was expected');
  }

  private counted(bytesPerItem: number): number {
    if (this.argument * bytesPerItem > this.input.length - this.at) throw this.fail('more items announced than bytes');
    return this.argument;
  }

  private take(): Uint8Array {
    const end = this.at + this.argument;
    if (end > this.input.length) throw this.fail('a string runs past the end');
    const b = this.input.subarray(this.at, end);
    this.at = end;
    return b;
  }

  private textOf(b: Uint8Array): string {
    try {
      return strictUtf8.decode(b);
    } catch {
      throw this.fail('text is not UTF-8');
    }
  }

  private negative(): number {
    const n = -1 - this.argument;
    if (n < -Number.MAX_SAFE_INTEGER) throw this.fail('an integer beyond 2^53 - 1');
    return n;
  }

  private head(): number {
    const input = this.input;
    if (this.at >= input.length) throw this.fail('the bytes end too early');
    const first = input[this.at++] as number;
    const low = first & 31;
    if (low < 24) this.argument = low;
    else if (low > 27) throw this.fail('an indefinite or reserved length');
    else this.longArgument(1 << (low - 24));
    return first >>> 5;
  }

  private longArgument(width: number): void {
    if (this.at + width > this.input.length) throw this.fail('the bytes end too early');
    let n = 0;
    for (let i = 0; i < width; i++) n = n * 256 + (this.input[this.at++] as number);
    if (n > Number.MAX_SAFE_INTEGER) throw this.fail('an integer beyond 2^53 - 1');
    if (n < (width === 1 ? 24 : 2 ** (width * 4))) throw this.fail('a length or number is not in its shortest form');
    this.argument = n;
  }
}

export function encode(value: CborValue): Uint8Array {
  const writer = new CborWriter();
  write(writer, value, 0);
  return writer.finish();
}

export function decode(bytes: Uint8Array, record = 'cbor'): CborValue {
  const reader = new CborReader(bytes, record);
  const value = reader.value();
  reader.end();
  return value;
}

function write(writer: CborWriter, value: CborValue, depth: number): void {
  if (value === null) writer.null();
  else if (typeof value === 'number') writer.int(value);
  else if (typeof value === 'string') writer.text(value);
  else if (typeof value === 'boolean') writer.boolean(value);
  else if (value instanceof Uint8Array) writer.bytes(value);
  else writeNested(writer, value, depth + 1);
}

function writeNested(writer: CborWriter, value: readonly CborValue[] | CborMap, depth: number): void {
  if (depth > MAX_DEPTH) throw unencodable('cbor', `nested more than ${MAX_DEPTH} deep`);
  if (value instanceof Map) {
    writer.map(value.size);
    for (const key of [...value.keys()].sort((a, b) => a - b)) {
      writer.uint(key);
      write(writer, value.get(key) as CborValue, depth);
    }
    return;
  }
  const items = value as readonly CborValue[];
  writer.array(items.length);
  for (const item of items) write(writer, item, depth);
}
