/** Typed access to CBOR values: what a table of the format says about a key, as a function that refuses the rest. */
import { type CborMap, decodeCbor, type Value } from './cbor.ts';
import { demand, Refusal } from './refusal.ts';

/** Keys from here on may be skipped by a reader that does not know them (format §1). */
const FIRST_SKIPPABLE_KEY = 128;
const VERSION = 1;
const BILLION = 1_000_000_000;

export interface Time {
  readonly sec: number;
  readonly nsec: number;
}

export function mapOf(value: Value, known: readonly number[]): CborMap {
  demand(value instanceof Map, 'malformed', 'not a map');
  const stranger = [...value.keys()].find((key) => key < FIRST_SKIPPABLE_KEY && !known.includes(key));
  demand(stranger === undefined, 'unknown_key', `unknown key ${stranger}`);
  return value;
}

/** A body whose key 0 is its version; the version is judged before the keys, which a later version may add to. */
export function bodyOf(bytes: Buffer, known: readonly number[]): CborMap {
  const value = decodeCbor(bytes);
  demand(value instanceof Map, 'malformed', 'a body that is not a map');
  demand(value.get(0) === VERSION, 'unknown_version', `a body of version ${value.get(0)}`);
  return mapOf(value, [0, ...known]);
}

export function field(map: CborMap, key: number): Value {
  const value = map.get(key);
  demand(value !== undefined, 'malformed', `key ${key} is missing`);
  return value;
}

export function optional<T>(map: CborMap, key: number, read: (value: Value) => T): T | undefined {
  const value = map.get(key);
  return value === undefined ? undefined : read(value);
}

export function uint(value: Value, max = Number.MAX_SAFE_INTEGER): number {
  demand(typeof value === 'number' && value >= 0 && value <= max, 'malformed', `not a number from 0 to ${max}`);
  return value;
}

export const u16 = (value: Value): number => uint(value, 0xffff);
export const u32 = (value: Value): number => uint(value, 0xffff_ffff);

export function bytes(value: Value, length?: number): Buffer {
  demand(Buffer.isBuffer(value), 'malformed', 'not a byte string');
  demand(length === undefined || value.length === length, 'malformed', `${value.length} bytes instead of ${length}`);
  return value;
}

export const id16 = (value: Value): Buffer => bytes(value, 16);
export const id32 = (value: Value): Buffer => bytes(value, 32);

export function text(value: Value): string {
  demand(typeof value === 'string', 'malformed', 'not a text');
  return value;
}

export function list(value: Value, length?: number): readonly Value[] {
  demand(Array.isArray(value), 'malformed', 'not an array');
  const values: readonly Value[] = value;
  demand(length === undefined || values.length === length, 'malformed', `not an array of ${length}`);
  return values;
}

export function time(value: Value): Time {
  const [sec, nsec] = list(value, 2);
  demand(typeof sec === 'number', 'malformed', 'seconds that are not a number');
  return { sec, nsec: uint(nsec!, BILLION - 1) };
}

/** A flat array taken `size` values at a time. */
export function groupsOf(value: Value, size: number): Value[][] {
  const values = list(value);
  demand(values.length % size === 0, 'malformed', `an array that is not made of groups of ${size}`);
  return Array.from({ length: values.length / size }, (_, at) => values.slice(at * size, (at + 1) * size));
}

export function demandAscending(names: readonly Buffer[], what: string): void {
  const at = names.findIndex((name, index) => index > 0 && Buffer.compare(names[index - 1]!, name) >= 0);
  if (at >= 0) throw new Refusal('malformed', `${what} that do not ascend`);
}
