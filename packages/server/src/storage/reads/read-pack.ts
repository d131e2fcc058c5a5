// Ranges of packs, sent as they are read. A retired pack is readable like a live one until it is deleted.

import { packName } from '@holdfast/archive/store/layout.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { findPack, type Pack } from '../index/packs.ts';
import { PACK_STATE } from '../index/tables.ts';
import { isDamage, isMissing } from '../pack-tables.ts';
import type { StorePoint } from '../store-point.ts';
import { answerIn, type SessionRef } from './session-use.ts';

export type Range = { readonly offset: number; readonly length: number };

export type PackBytes = Range & { readonly size: number; readonly body: AsyncIterable<Uint8Array> };

/** How much is in memory for each reader. */
const SLICE = 1024 * 1024;

/** `bytes=from-to`, `bytes=from-` or `bytes=-count` (RFC 9110 §14.1.2), one range; null for the whole pack. */
export function parseRange(header: string | undefined, size: number): Range {
  if (header === undefined) return { offset: 0, length: size };
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header.trim()) ?? [];
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if ((first === '' && last === '') || !(from <= to))
    throw new ProtocolError('invalid_request', { message: `The range "${header}" does not lie in the pack.` });
  return { offset: from, length: to - from + 1 };
}

export async function readPack(
  point: StorePoint,
  ref: SessionRef,
  packId: Uint8Array,
  range: string | undefined,
  spend: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<PackBytes> {
  return answerIn(point, ref, async () => {
    const pack = await requireReadable(point, ref, packId);
    const wanted = parseRange(range, pack.size);
    spend(wanted.length);
    const name = packName(ref.archive.id, packId);
    const first = await firstSlice(point, name, wanted, signal);
    point.metrics.add('bytes_read', wanted.length);
    return { ...wanted, size: pack.size, body: slices(point, name, wanted, first, signal) };
  });
}

async function requireReadable(point: StorePoint, ref: SessionRef, packId: Uint8Array): Promise<Pack> {
  const pack = await point.index.read((on) => findPack(on, ref.archive.number, packId));
  switch (pack?.state) {
    case undefined:
    case PACK_STATE.deleting:
    case PACK_STATE.gone:
      throw new ProtocolError('chunk_moved');
    case PACK_STATE.missing:
      throw new ProtocolError('pack_missing');
    default:
      return pack as Pack;
  }
}

/** Read before the answer begins, so that what fails has a code. */
async function firstSlice(
  point: StorePoint,
  name: string,
  { offset, length }: Range,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  try {
    return await point.blobs.get(name, { offset, length: Math.min(length, SLICE) }, signal);
  } catch (cause) {
    if (!isMissing(cause) && !isDamage(cause)) throw cause;
    point.log.warn({ name, err: cause }, 'a pack is not as the index says; reconcile will look into it');
    throw new ProtocolError('pack_missing', { cause });
  }
}

async function* slices(
  point: StorePoint,
  name: string,
  { offset, length }: Range,
  first: Uint8Array,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  yield first;
  for (let at = first.length; at < length; at += SLICE)
    yield await point.blobs.get(name, { offset: offset + at, length: Math.min(SLICE, length - at) }, signal);
}
