// What is present for a session, as a list of 16-byte prefixes: all of it, or what was added since a cursor.
//
// A cursor says for which state of the archive the earlier answer held: index, epoch, losses, and the highest pack. While
// the first three are the same nothing that was present has stopped being so, and whatever was added lies in higher packs.
// Otherwise the answer is in full.

import { encodePresentHead, MAX_PRESENT, type PresentHead } from '@holdfast/protocol/storage-wire.ts';
import { type Archive, findArchive } from '../index/archives.ts';
import { countChunks, presentFlags, presentPage } from '../index/chunks.ts';
import { type Pack, pageOfPacks } from '../index/packs.ts';
import { readPoint } from '../index/point.ts';
import { PREFIX_LENGTH } from '../index/prefix.ts';
import { requireSession, type Session } from '../index/sessions.ts';
import { IDS_PER_QUERY } from '../limits.ts';
import { readTable } from '../pack-tables.ts';
import type { StorePoint } from '../store-point.ts';
import { type SessionRef, useSession } from './session-use.ts';

/** Rows of one page of a full answer. */
const PAGE = 16_384;
/** With more new packs than this, reading their tables costs more than going through the index. */
const MAX_NEW_PACKS = 64;

type Cursor = {
  readonly index: string;
  readonly epoch: number;
  readonly losses: number;
  readonly pack: number;
};

const writeCursor = ({ index, epoch, losses, pack }: Cursor): string => `1.${index}.${epoch}.${losses}.${pack}`;

/** The number of the pack in a cursor that still holds, else null. */
function packOf(cursor: string | null, now: Cursor): number | null {
  const pack = Number(cursor?.split('.')[4]);
  return cursor !== null && Number.isSafeInteger(pack) && cursor === writeCursor({ ...now, pack }) ? pack : null;
}

/** The body of the answer, as it is read. When it is cut off, so is the connection. */
export async function presentIds(
  point: StorePoint,
  ref: SessionRef,
  cursor: string | null,
): Promise<AsyncIterable<Uint8Array>> {
  const session = await useSession(point, ref);
  const state = await stateOf(point, ref.archive, session);
  const total = await point.index.read((on) => countChunks(on, ref.archive.number));
  const since = packOf(cursor, state);
  const added = since === null || total > MAX_PRESENT ? null : await newPacks(point, ref.archive, since);
  const head: PresentHead = {
    full: added === null,
    total,
    cursor: total > MAX_PRESENT ? '' : writeCursor(state),
    removed: new Uint8Array(0),
  };
  const prefixes =
    total > MAX_PRESENT
      ? none()
      : added === null
        ? all(point, ref.archive, session)
        : of(point, ref.archive, session, added);
  return answer(point, ref, head, prefixes);
}

async function* answer(
  point: StorePoint,
  ref: SessionRef,
  head: PresentHead,
  prefixes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield encodePresentHead(head);
  for await (const some of prefixes) if (some.length > 0) yield some;
  await point.index.read((on) => requireSession(on, ref.archive.number, ref.id));
}

/** Read before anything else: what is added while the answer is made comes again with the next one. */
const stateOf = (point: StorePoint, archive: Archive, session: Session): Promise<Cursor> =>
  point.index.read(async (on) => {
    const now = (await findArchive(on, archive.id)) ?? archive;
    const index = (await readPoint(on, 'incarnation')) ?? '';
    return { index, epoch: session.epoch, losses: now.losses, pack: now.next_pack - 1 };
  });

/** Null when there are too many. */
async function newPacks(point: StorePoint, archive: Archive, since: number): Promise<Pack[] | null> {
  const packs = await point.index.read((on) => pageOfPacks(on, archive.number, since, MAX_NEW_PACKS + 1));
  return packs.length > MAX_NEW_PACKS ? null : packs;
}

async function* all(point: StorePoint, archive: Archive, { epoch }: Session): AsyncGenerator<Uint8Array> {
  for (let after: Uint8Array | null = new Uint8Array(0); after !== null; ) {
    const from: Uint8Array = after;
    const page = await point.index.read((on) => presentPage(on, archive.number, epoch, from, PAGE));
    yield page.prefixes;
    after = page.last;
  }
}

async function* of(
  point: StorePoint,
  archive: Archive,
  { epoch }: Session,
  packs: readonly Pack[],
): AsyncGenerator<Uint8Array> {
  for (const pack of packs) {
    const table = await readTable(point.blobs, archive.id, pack);
    if (table.kind === 'missing') continue;
    for (let at = 0; at < table.frames.length; at += IDS_PER_QUERY) {
      const ids = Buffer.concat(table.frames.slice(at, at + IDS_PER_QUERY).map(({ entry }) => entry.id));
      const flags = await point.index.read((on) => presentFlags(on, archive.number, epoch, ids));
      yield marked(ids, flags);
    }
  }
}

/** The prefixes of the ids whose flag is set. */
function marked(ids: Uint8Array, flags: Uint8Array): Uint8Array {
  const prefixes: Uint8Array[] = [];
  flags.forEach((flag, i) => {
    if (flag === 1) prefixes.push(ids.subarray(i * 32, i * 32 + PREFIX_LENGTH));
  });
  return Buffer.concat(prefixes);
}

async function* none(): AsyncGenerator<Uint8Array> {}
