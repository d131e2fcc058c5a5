// Which links of a pack lead nowhere (ARCHIVE §5.1): neither to what is present for the session nor to an earlier frame
// of the same pack.

import { ID_LENGTH, toHex } from '@holdfast/archive/format/ids.ts';
import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { IdSet } from '../id-set.ts';
import { presentFlags } from '../index/chunks.ts';
import type { On } from '../index/open-index.ts';
import { IDS_PER_QUERY, MAX_MISSING_IDS } from '../limits.ts';

/** The ids that a pack takes for granted, each once, joined. */
export function outsideLinks(frames: readonly PackedFrame[], salt: number): Uint8Array {
  const settled = new IdSet(salt, frames.length * 4);
  const wanted: Uint8Array[] = [];
  for (const { entry } of frames) {
    for (let at = 0; at < entry.links.length; at += ID_LENGTH)
      if (settled.add(entry.links, at)) wanted.push(entry.links.subarray(at, at + ID_LENGTH));
    settled.add(entry.id);
  }
  return Buffer.concat(wanted);
}

/** Those of the ids that are not present, at most as many as one answer names. */
async function missingIds(on: On, archive: number, epoch: number, ids: Uint8Array): Promise<Uint8Array[]> {
  const missing: Uint8Array[] = [];
  for (let at = 0; at < ids.length && missing.length < MAX_MISSING_IDS; at += IDS_PER_QUERY * ID_LENGTH) {
    const some = ids.subarray(at, at + IDS_PER_QUERY * ID_LENGTH);
    const flags = await presentFlags(on, archive, epoch, some);
    flags.forEach((flag, i) => {
      if (flag === 0 && missing.length < MAX_MISSING_IDS)
        missing.push(some.subarray(i * ID_LENGTH, (i + 1) * ID_LENGTH));
    });
  }
  return missing;
}

/** Refuses with `links_missing` when an id is not present for the session. */
export async function requirePresent(on: On, archive: number, epoch: number, ids: Uint8Array): Promise<void> {
  const missing = await missingIds(on, archive, epoch, ids);
  if (missing.length > 0) throw new ProtocolError('links_missing', { data: { ids: missing.map(toHex) } });
}
