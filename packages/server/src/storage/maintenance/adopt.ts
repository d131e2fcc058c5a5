// Takes packs and snapshots into the index that lie in the store point and have no row: left by a crash between object and
// row, or all of them, when the index is made anew.
//
// What a pack's trees link may be gone: nobody held it for them. Such an id counts as lost and the tree as above a loss,
// so that nobody reuses it until the id is stored again; both disappear with the next collect if no snapshot needs them.

import { createHash } from 'node:crypto';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { equalBytes, ID_LENGTH, toHex } from '@holdfast/archive/format/ids.ts';
import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import { decodeReceipt } from '@holdfast/archive/format/receipt.ts';
import { decodeEnvelope, decodeSnapshotObject } from '@holdfast/archive/format/snapshot.ts';
import { decodeStatement } from '@holdfast/archive/format/statement.ts';
import { packName, receiptName, snapshotName, tombstoneName } from '@holdfast/archive/store/layout.ts';
import { type Archive, lockArchive } from '../index/archives.ts';
import { contentOf, distinctFrames, elsewhere, goodFlags, insertChunks } from '../index/chunks.ts';
import { addLossLinks, addLost, heal, type LossLink } from '../index/lost.ts';
import type { On } from '../index/open-index.ts';
import { holdPack, insertPack, isAnnounced, updatePack } from '../index/packs.ts';
import { prefixOf } from '../index/prefix.ts';
import { findSnapshot, insertSnapshot } from '../index/snapshots.ts';
import { PACK_STATE, SNAPSHOT_STATE } from '../index/tables.ts';
import { removeSnapshotObjects, rowOf } from '../ingest/commit-snapshot.ts';
import { readTable } from '../pack-tables.ts';
import { readIfThere } from '../reads/lists.ts';
import { makeReceipt } from '../receipts.ts';
import type { StorePoint } from '../store-point.ts';

export type FoundPack = {
  readonly id: Uint8Array;
  readonly size: number;
  /** ms, by the store's clock */
  readonly modified: number;
};

export type Step = <T>(work: (on: On) => Promise<T>) => Promise<T>;

/** What was read of a pack. A damaged one has the frames that could still be made out. */
export type ReadPack = FoundPack & { readonly frames: readonly PackedFrame[]; readonly damaged: boolean };

/** By the table alone: to make a whole index anew. What decayed is found by verify. */
export async function readByTable(
  point: StorePoint,
  archive: Archive,
  pack: FoundPack,
  signal?: AbortSignal,
): Promise<ReadPack | null> {
  const table = await readTable(point.blobs, archive.id, pack, signal);
  return table.kind === 'missing' ? null : { ...pack, frames: table.frames, damaged: table.damage !== null };
}

/** By all of its bytes: a pack that nobody acknowledged is only taken in when it is what its name says (format §7). */
export async function readWhole(
  point: StorePoint,
  archive: Archive,
  pack: FoundPack,
  signal?: AbortSignal,
): Promise<ReadPack | null> {
  const read = await readByTable(point, archive, pack, signal);
  const bytes = read && (await readIfThere(point.blobs, packName(archive.id, pack.id)));
  if (!read || bytes === null) return null;
  const hash = createHash('sha256').update(bytes).digest();
  return { ...read, damaged: read.damaged || !equalBytes(hash, pack.id) };
}

/** Gives a pack its rows. False when somebody else has done it, or is just sending it. */
export const adoptPack = (step: Step, archive: Archive, pack: ReadPack): Promise<boolean> =>
  step(async (on) => {
    await lockArchive(on, archive.number);
    const known = await holdPack(on, archive.number, pack.id);
    if (known !== null && known.state !== PACK_STATE.missing) return false;
    if (await isAnnounced(on, archive.number, pack.id)) return false;
    const frames = distinctFrames(pack.frames);
    const counts = { rows: frames.length, bytes: contentOf(frames), session: 0 };
    const number = known?.number ?? (await insertPack(on, newRow(archive, pack, counts)));
    if (known !== null) await updatePack(on, archive.number, number, { ...counts, state: PACK_STATE.live, since: 0 });
    await insertChunks(on, archive.number, number, frames);
    await heal(
      on,
      archive.number,
      frames.map(({ entry }) => prefixOf(entry.id)),
    );
    return true;
  });

const newRow = (
  archive: Archive,
  pack: ReadPack,
  counts: { readonly rows: number; readonly bytes: number; readonly session: number },
) => ({
  archive: archive.number,
  id: pack.id,
  size: pack.size,
  frames: pack.frames.length,
  trees: treesOf(pack).length,
  content: contentOf(pack.frames),
  received: pack.modified,
  ...counts,
});

export const treesOf = ({ frames }: Pick<ReadPack, 'frames'>): PackedFrame[] =>
  frames.filter(({ entry }) => entry.links.length > 0);

/**
 * Trees that link what is not good count as above a loss, and what they link, if it is nowhere, as lost. Called before their
 * pack is adopted, so that they are never present in between.
 */
export async function flagDangling(
  step: Step,
  archive: Archive,
  frames: readonly PackedFrame[],
  now: number,
): Promise<number> {
  const links = allLinks(frames);
  let found = 0;
  for (let at = 0; at < links.length; at += LINKS_AT_ONCE) {
    const some = links.slice(at, at + LINKS_AT_ONCE);
    found += await step(async (on) => {
      const ids = Buffer.concat(some.map(({ child }) => child));
      const flags = await goodFlags(on, archive.number, ids);
      const dangling = some.filter((_, i) => flags[i] === 0).map(shorten);
      if (dangling.length === 0) return 0;
      const children = dangling.map((link) => link.child);
      const stored = await elsewhere(on, archive.number, children);
      const nowhere = children.filter((child) => !stored.has(toHex(child)));
      await addLost(on, archive.number, nowhere, 'dangling', now);
      await addLossLinks(on, archive.number, dangling);
      return dangling.length;
    });
  }
  return found;
}

const LINKS_AT_ONCE = 2048;

const shorten = ({ child, parent }: LossLink): LossLink => ({ child: prefixOf(child), parent: prefixOf(parent) });

function allLinks(frames: readonly PackedFrame[]): LossLink[] {
  const links: LossLink[] = [];
  for (const { entry } of frames)
    for (let at = 0; at < entry.links.length; at += ID_LENGTH)
      links.push({ child: entry.links.subarray(at, at + ID_LENGTH), parent: entry.id });
  return links;
}

export type AdoptedSnapshot = 'adopted' | 'known' | 'unreadable' | 'retired';

/**
 * Gives a stored snapshot its row. One without a receipt was never acknowledged; it gets one now. Of one with a tombstone
 * the rest is removed: its retirement was interrupted.
 */
export async function adoptSnapshot(
  point: StorePoint,
  step: Step,
  archive: Archive,
  id: Uint8Array,
): Promise<AdoptedSnapshot> {
  const object = await readIfThere(point.blobs, snapshotName(archive.id, id));
  const envelope = object === null ? null : envelopeOf(object, archive, id);
  if (envelope === null) return 'unreadable';
  if ((await point.blobs.stat(tombstoneName(archive.id, id))) !== null) {
    await removeSnapshotObjects(point, archive, id);
    return 'retired';
  }
  const received = await receivedOf(point, archive, id);
  return step(async (on) => {
    await lockArchive(on, archive.number);
    if ((await findSnapshot(on, archive.number, id)) !== null) return 'known';
    const row = rowOf(archive.number, { id, envelope }, received, 0);
    await insertSnapshot(on, { ...row, state: SNAPSHOT_STATE.committed });
    return 'adopted';
  });
}

function envelopeOf(object: Uint8Array, archive: Archive, id: Uint8Array) {
  try {
    const { envelope } = decodeSnapshotObject(object);
    const decoded = decodeEnvelope(envelope);
    const isIt = equalBytes(createHash('sha256').update(envelope).digest(), id);
    return isIt && equalBytes(decoded.archiveId, archive.id) ? decoded : null;
  } catch (error) {
    if (error instanceof ArchiveError) return null;
    throw error;
  }
}

async function receivedOf(point: StorePoint, archive: Archive, id: Uint8Array): Promise<number> {
  const name = receiptName(archive.id, id);
  const receipt = await readIfThere(point.blobs, name);
  try {
    if (receipt !== null) return decodeReceipt(decodeStatement(receipt).body).received;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    point.log.warn({ name, err: error, snapshot: toHex(id) }, 'a receipt cannot be read and is replaced');
  }
  const received = point.now();
  await point.blobs.put(name, await makeReceipt(point, { archiveId: archive.id, snapshotId: id, received }));
  return received;
}
