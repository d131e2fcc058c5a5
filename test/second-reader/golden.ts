/** The golden files of packages/archive/testdata/golden, which a third encoder made. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ArchiveKeys, CutParams } from './keys.ts';

const FOLDER = join(import.meta.dirname, '../../packages/archive/testdata/golden');

export const goldenBytes = (name: string): Buffer => readFileSync(join(FOLDER, name));

// biome-ignore lint/suspicious/noExplicitAny: the files are their own schema, and each test names the fields it reads
export type Golden = any;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `{ "hex": ... }` as bytes, everywhere inside. */
function withBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBytes);
  if (!isObject(value)) return value;
  if (typeof value['hex'] === 'string') return Buffer.from(value['hex'], 'hex');
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withBytes(inner)]));
}

export const goldenJson = (name: string): Golden => withBytes(JSON.parse(goldenBytes(name).toString()));

export const cutParamsOf = ([min, normal, max, strictBits, looseBits]: number[]): CutParams => ({
  min: min!,
  normal: normal!,
  max: max!,
  strictBits: strictBits!,
  looseBits: looseBits!,
});

export function goldenKeys(): ArchiveKeys {
  const { archiveId, idKey, chunkerKey, contentKeys, dataParams, bundleParams } = goldenJson('keys.json');
  const generations = Object.entries(contentKeys).map(
    ([generation, key]) => [Number(generation), key as Buffer] as const,
  );
  return {
    archiveId,
    idKey,
    chunkerKey,
    contentKeys: new Map(generations),
    data: cutParamsOf(dataParams),
    bundle: cutParamsOf(bundleParams),
  };
}

/** The 32-byte ids of a `.links` file. */
export function goldenLinks(name: string): Buffer[] {
  const bytes = goldenBytes(name);
  return Array.from({ length: bytes.length / 32 }, (_, at) => bytes.subarray(at * 32, (at + 1) * 32));
}
