// Takes in one pack while its bytes arrive.
//
//   stream:  bytes -> hash and table (PackStream) -> temporary object; nothing is held but the entries and a quarter of a MiB
//   check:   id, table, archive; every link present for the session or earlier in the pack, else links_missing
//   announce (transaction): session alive, name not being deleted -> from here its object may not be deleted
//   commit the object: durable
//   publish (transaction): session alive, links still present if anything was lost meanwhile -> rows
//
// A crash before *publish* leaves an object without a row, which reconcile takes in. Sending the same pack again ends the
// same way, in this session or in another: its locations become good and uncondemned.

import { createHash } from 'node:crypto';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { equalBytes } from '@holdfast/archive/format/ids.ts';
import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import { PackStream } from '@holdfast/archive/format/pack-stream.ts';
import type { BlobWriter } from '@holdfast/archive/store/blob-store.ts';
import { packName } from '@holdfast/archive/store/layout.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { type Archive, findArchive, lockArchive } from '../index/archives.ts';
import { contentOf, distinctFrames, insertChunks } from '../index/chunks.ts';
import { heal } from '../index/lost.ts';
import type { On } from '../index/open-index.ts';
import {
  announcePack,
  endAnnouncement,
  findPack,
  holdPack,
  insertPack,
  type Pack,
  updatePack,
} from '../index/packs.ts';
import { prefixOf } from '../index/prefix.ts';
import { holdSession, renewSession, requireSession, type Session } from '../index/sessions.ts';
import { PACK_STATE } from '../index/tables.ts';
import { RENEW_EVERY_MS } from '../limits.ts';
import { randomHex, type StorePoint } from '../store-point.ts';
import { gathered } from './gathered.ts';
import { outsideLinks, requirePresent } from './links.ts';

export type PackUpload = {
  readonly archive: Archive;
  /** The session's id. */
  readonly session: string;
  readonly packId: Uint8Array;
  readonly body: AsyncIterable<Uint8Array>;
};

type Received = { readonly frames: readonly PackedFrame[]; readonly size: number };

export async function receivePack(point: StorePoint, upload: PackUpload): Promise<'stored' | 'exists'> {
  const { archive, packId } = upload;
  const session = await point.index.read((on) => requireSession(on, archive.number, upload.session));
  const known = await point.index.read((on) => findPack(on, archive.number, packId));
  refuseRetired(known);
  // One that is here whole is only checked: its bytes are the same by its name.
  const writer = known?.state === PACK_STATE.live ? null : await point.blobs.writer();
  try {
    const received = await receiveBytes(point, upload, session, writer);
    const outside = outsideLinks(received.frames, Buffer.from(point.random(4)).readUInt32LE());
    const losses = await checkLinks(point, archive, session, outside);
    const token = randomHex(point, 16);
    await point.index.write((on) => announce(on, point, upload, token, writer === null));
    await writer?.commit(packName(archive.id, packId));
    await point.index.write((on) => publish(on, point, upload, { received, outside, losses, token }));
    return count(point, received, writer === null);
  } finally {
    await writer?.abort();
  }
}

function refuseRetired(known: Pack | null): void {
  if (known?.state === PACK_STATE.deleting || known?.state === PACK_STATE.gone) throw new ProtocolError('pack_retired');
}

async function receiveBytes(
  point: StorePoint,
  upload: PackUpload,
  session: Session,
  writer: BlobWriter | null,
): Promise<Received> {
  const stream = new PackStream(upload.archive.id, () => createHash('sha256'));
  try {
    for await (const chunk of gathered(keptAlive(point, session, upload.body))) {
      stream.push(chunk);
      await writer?.write(chunk);
    }
    const { packId, frames } = stream.end();
    if (!equalBytes(packId, upload.packId))
      throw new ArchiveError('pack_invalid', { detail: 'its bytes do not hash to its name' });
    return { frames, size: stream.size };
  } catch (error) {
    if (error instanceof ArchiveError && isDamage(error)) {
      point.metrics.add('packs_refused');
      throw new ProtocolError('pack_damaged', { cause: error, data: { reason: error.message } });
    }
    throw error;
  }
}

/** A session is not silent while a pack comes over a slow line. */
async function* keptAlive(
  point: StorePoint,
  { number, renewed }: Session,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let at = renewed;
  for await (const chunk of body) {
    const now = point.now();
    if (now - at >= RENEW_EVERY_MS) {
      await point.index.write((on) => renewSession(on, number, now));
      at = now;
    }
    yield chunk;
  }
}

const DAMAGE: ReadonlySet<string> = new Set(['pack_invalid', 'format_invalid', 'unknown_version', 'wrong_archive']);
const isDamage = (error: ArchiveError): boolean => DAMAGE.has(error.code);

/**
 * Returns the archive's loss counter of before the question: as long as it stays, so does the answer. A session that was open after
 * the question was open at it; what one that has ended relied on may rightly be gone.
 */
async function checkLinks(point: StorePoint, archive: Archive, session: Session, ids: Uint8Array): Promise<number> {
  return point.index.read(async (on) => {
    const losses = (await findArchive(on, archive.id))?.losses ?? 0;
    try {
      await requirePresent(on, archive.number, session.epoch, ids);
    } catch (error) {
      await requireSession(on, archive.number, session.id);
      if (error instanceof ProtocolError && error.code === 'links_missing') point.metrics.add('links_missing');
      throw error;
    }
    return losses;
  });
}

async function announce(on: On, point: StorePoint, upload: PackUpload, token: string, isHere: boolean): Promise<void> {
  const { archive, packId } = upload;
  await lockArchive(on, archive.number);
  const session = await holdSession(on, archive.number, upload.session, point.now());
  const known = await holdPack(on, archive.number, packId);
  refuseRetired(known);
  // It was found damaged, or collected, while its bytes arrived and were not kept.
  if (isHere && known?.state !== PACK_STATE.live) throw new ProtocolError('busy', { retryAfterMs: 1000 });
  await announcePack(on, archive.number, packId, session.number, token);
}

type Publication = {
  readonly received: Received;
  readonly outside: Uint8Array;
  readonly losses: number;
  readonly token: string;
};

async function publish(on: On, point: StorePoint, upload: PackUpload, publication: Publication): Promise<void> {
  const { packId } = upload;
  const { received, outside, losses, token } = publication;
  const archive = await lockArchive(on, upload.archive.number);
  const session = await holdSession(on, archive.number, upload.session, point.now());
  if (archive.losses !== losses) await requirePresent(on, archive.number, session.epoch, outside);
  const frames = distinctFrames(received.frames);
  const number = await rowOf(on, point, { archive: archive.number, packId, session: session.number, received, frames });
  await insertChunks(on, archive.number, number, frames);
  await heal(
    on,
    archive.number,
    frames.map(({ entry }) => prefixOf(entry.id)),
  );
  await endAnnouncement(on, archive.number, packId, token);
}

type Row = {
  readonly archive: number;
  readonly packId: Uint8Array;
  readonly session: number;
  readonly received: Received;
  readonly frames: readonly PackedFrame[];
};

async function rowOf(on: On, point: StorePoint, { archive, packId, session, received, frames }: Row): Promise<number> {
  const counts = { rows: frames.length, bytes: contentOf(frames), session };
  const known = await holdPack(on, archive, packId);
  if (known !== null) {
    await updatePack(on, archive, known.number, { ...counts, state: PACK_STATE.live, since: 0 });
    return known.number;
  }
  return insertPack(on, {
    archive,
    id: packId,
    size: received.size,
    frames: received.frames.length,
    trees: received.frames.filter(({ entry }) => entry.links.length > 0).length,
    content: contentOf(received.frames),
    received: point.now(),
    ...counts,
  });
}

function count(point: StorePoint, received: Received, wasHere: boolean): 'stored' | 'exists' {
  if (wasHere) {
    point.metrics.add('packs_repeated');
    return 'exists';
  }
  point.metrics.add('packs_stored');
  point.metrics.add('pack_bytes_stored', received.size);
  return 'stored';
}
