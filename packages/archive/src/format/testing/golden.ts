// The golden files of testdata/golden, for tests: bytes by name, and what each says.

import { readdirSync, readFileSync } from 'node:fs';
import type { ArchiveKeys, CutParams } from '../keys.ts';

const FOLDER = new URL('../../../testdata/golden/', import.meta.url);

export const golden = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));

export const goldenNames = (ending: string): string[] => readdirSync(FOLDER).filter((name) => name.endsWith(ending));

/** JSON in which `{"hex": ...}` stands for bytes. */
export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'), (_key, value) =>
    value !== null && typeof value === 'object' && Object.keys(value).join() === 'hex'
      ? Uint8Array.fromHex(value.hex)
      : value,
  ) as T;
}

const VALUES = goldenJson<Record<string, unknown>>('values.json');

/** What the second encoder wrote into the file. */
export function goldenValue<T>(name: string): T {
  if (!(name in VALUES)) throw new Error(`values.json does not speak of ${name}`);
  return VALUES[name] as T;
}

type KeysJson = Omit<ArchiveKeys, 'contentKeys' | 'dataParams' | 'bundleParams'> & {
  contentKeys: Record<string, Uint8Array>;
  dataParams: number[];
  bundleParams: number[];
  seeds: Record<'user' | 'device' | 'server', Uint8Array>;
  publicKeys: Record<'user' | 'device' | 'server', Uint8Array>;
  deviceAge: string;
  passphrase: string;
};

export const GOLDEN: KeysJson = goldenJson<KeysJson>('keys.json');

export const cutParams = ([min, normal, max, strictBits, looseBits]: readonly number[]): CutParams =>
  ({ min, normal, max, strictBits, looseBits }) as CutParams;

export const GOLDEN_KEYS: ArchiveKeys = {
  archiveId: GOLDEN.archiveId,
  idKey: GOLDEN.idKey,
  chunkerKey: GOLDEN.chunkerKey,
  contentKeys: new Map(Object.entries(GOLDEN.contentKeys).map(([generation, key]) => [Number(generation), key])),
  dataParams: cutParams(GOLDEN.dataParams),
  bundleParams: cutParams(GOLDEN.bundleParams),
};

/** Views and Buffers become plain arrays, maps become lists of pairs, absent stays absent: for deepEqual. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { hex: value.toHex() };
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return { map: [...value].map(plain) };
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}
