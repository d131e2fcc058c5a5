// The keys of an archive (format §2.1): made once, widened by one content key per generation, and put
// together again from the key files that a reader could open. What the parts must agree on is checked here.

import { ArchiveError } from '../errors.ts';
import { equalBytes } from '../format/ids.ts';
import { type KeyFileBody, paramsArray } from '../format/key-file.ts';
import type { ArchiveKeys, CutParams } from '../format/keys.ts';

/** format §3.3 */
export const DATA_PARAMS: CutParams = {
  min: 262_144,
  normal: 1_048_576,
  max: 4_194_304,
  strictBits: 22,
  looseBits: 18,
};
export const BUNDLE_PARAMS: CutParams = {
  min: 131_072,
  normal: 524_288,
  max: 1_048_576,
  strictBits: 21,
  looseBits: 17,
};

type FillRandom = (target: Uint8Array) => unknown;

function random(fill: FillRandom, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  fill(bytes);
  return bytes;
}

/** Keys of a new archive, of generation 1. */
export function generateArchiveKeys(fillRandom: FillRandom): ArchiveKeys {
  return {
    archiveId: random(fillRandom, 16),
    idKey: random(fillRandom, 32),
    chunkerKey: random(fillRandom, 32),
    contentKeys: new Map([[1, random(fillRandom, 32)]]),
    dataParams: DATA_PARAMS,
    bundleParams: BUNDLE_PARAMS,
  };
}

export const newestGeneration = (keys: Pick<ArchiveKeys, 'contentKeys'>): number =>
  Math.max(...keys.contentKeys.keys());

/** The same archive with a fresh content key, for all that is sealed from now on. */
export function nextGeneration(keys: ArchiveKeys, fillRandom: FillRandom): ArchiveKeys {
  const generation = newestGeneration(keys) + 1;
  return { ...keys, contentKeys: new Map([...keys.contentKeys, [generation, random(fillRandom, 32)]]) };
}

/** One archive's keys from key files that were opened and trusted; format §2.4 says what may not differ. */
export function combineKeyFiles(files: readonly KeyFileBody[]): ArchiveKeys {
  const [first, ...others] = files;
  if (first === undefined) throw new ArchiveError('generation_unknown', { detail: 'no key file could be used' });
  for (const other of others) refuseDifference(first, other);
  const contentKeys = new Map<number, Uint8Array>();
  for (const { generation, contentKey } of files) {
    const known = contentKeys.get(generation);
    if (known !== undefined && !equalBytes(known, contentKey)) throw mismatch(`two keys of generation ${generation}`);
    contentKeys.set(generation, contentKey);
  }
  const { archiveId, idKey, chunkerKey, dataParams, bundleParams } = first;
  return { archiveId, idKey, chunkerKey, contentKeys, dataParams, bundleParams };
}

function refuseDifference(a: KeyFileBody, b: KeyFileBody): void {
  if (!equalBytes(a.archiveId, b.archiveId)) throw mismatch('they belong to different archives');
  if (!equalBytes(a.idKey, b.idKey)) throw mismatch('their id keys differ');
  if (!equalBytes(a.chunkerKey, b.chunkerKey)) throw mismatch('their chunker keys differ');
  if (!sameParams(a.dataParams, b.dataParams) || !sameParams(a.bundleParams, b.bundleParams))
    throw mismatch('their chunker parameters differ');
}

const sameParams = (a: CutParams, b: CutParams): boolean => paramsArray(a).join() === paramsArray(b).join();

const mismatch = (detail: string) => new ArchiveError('key_file_mismatch', { detail });
