// Questions about ids: which are present, where they lie, and the report that some did not open.

import { ID_LENGTH } from '@holdfast/archive/format/ids.ts';
import { lockArchive } from '../index/archives.ts';
import { type ChunkKey, type FoundLocation, locateChunks, presentFlags } from '../index/chunks.ts';
import { markLost } from '../index/lost.ts';
import { prefixOf } from '../index/prefix.ts';
import { holdSession } from '../index/sessions.ts';
import { LOST } from '../index/tables.ts';
import { IDS_PER_QUERY } from '../limits.ts';
import type { StorePoint } from '../store-point.ts';
import { answerIn, type SessionRef } from './session-use.ts';

function* batches(ids: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < ids.length; at += IDS_PER_QUERY * ID_LENGTH)
    yield ids.subarray(at, at + IDS_PER_QUERY * ID_LENGTH);
}

/** One byte an id: 1 present for the session. */
export const askPresent = (point: StorePoint, ref: SessionRef, ids: Uint8Array): Promise<Uint8Array> =>
  answerIn(point, ref, async ({ epoch }) => {
    const flags: Uint8Array[] = [];
    for (const some of batches(ids))
      flags.push(await point.index.read((on) => presentFlags(on, ref.archive.number, epoch, some)));
    point.metrics.add('ids_asked', ids.length / ID_LENGTH);
    return Buffer.concat(flags);
  });

export const locate = (point: StorePoint, ref: SessionRef, ids: Uint8Array): Promise<(FoundLocation | null)[]> =>
  answerIn(point, ref, async () => {
    const found: (FoundLocation | null)[] = [];
    for (const some of batches(ids))
      found.push(...(await point.index.read((on) => locateChunks(on, ref.archive.number, some))));
    return found;
  });

/**
 * The location that a reader would be led to now counts as lost, so that the next one is led to another. Returns how many
 * ids have no good location left.
 */
export async function reportLost(point: StorePoint, ref: SessionRef, ids: Uint8Array): Promise<number> {
  const { number } = ref.archive;
  let lost = 0;
  for (const some of batches(ids)) {
    const newly = await point.index.write(async (on) => {
      await lockArchive(on, number);
      await holdSession(on, number, ref.id, point.now());
      const keys = doubted(some, await locateChunks(on, number, some));
      return keys.length === 0 ? [] : markLost(on, number, keys, 'reported', point.now());
    });
    lost += newly.length;
  }
  if (lost > 0) {
    point.metrics.add('chunks_lost', lost);
    point.log.warn({ archive: ref.archive.id.toHex(), lost }, 'a device reports chunks that do not open');
    point.lossFound(ref.archive);
  }
  return lost;
}

function doubted(ids: Uint8Array, found: readonly (FoundLocation | null)[]): ChunkKey[] {
  const keys = new Map<string, ChunkKey>();
  found.forEach((location, i) => {
    if (location === null || location.lost === LOST.self) return;
    const prefix = prefixOf(ids.subarray(i * ID_LENGTH, (i + 1) * ID_LENGTH));
    keys.set(prefix.toHex(), { prefix, pack: location.pack });
  });
  return [...keys.values()];
}
