// Verify: looks at every small object (verify-objects.ts), then reads every pack whole, compares its bytes with its name and the index
// with its table, and marks what is bad as lost (ARCHIVE §5.7). Any flipped byte changes the hash. It reads beside everything else and
// takes the packs that were not read for longest first, so that a run that is stopped goes on where it was.

import { equalBytes, toHex } from '@holdfast/archive/format/ids.ts';
import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import { PackStream } from '@holdfast/archive/format/pack-stream.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { packName } from '@holdfast/archive/store/layout.ts';
import { rowsOfPack } from '../index/chunks.ts';
import { unmarkLost } from '../index/lost.ts';
import { findPack, type Pack, packsToVerify, updatePack } from '../index/packs.ts';
import { prefixOf } from '../index/records.ts';
import { PACK_STATE } from '../index/tables.ts';
import { conclude } from '../index/troubles.ts';
import { isDamage, isMissing, newSha256 } from '../pack-tables.ts';
import { loseRowsOf } from './reconcile.ts';
import type { Run } from './run.ts';
import { type ObjectsResult, verifyObjects } from './verify-objects.ts';

export type VerifyResult = {
  packs: number;
  bytes: number;
  damagedPacks: number;
  lostChunks: number;
  /** Rows that do not lead to their frame. */
  wrongRows: number;
} & ObjectsResult;

const SLICE = 1024 * 1024;
const ROWS_PER_STEP = 1024;

export async function verify(run: Run): Promise<VerifyResult> {
  const { point, archive } = run;
  const found = await verifyObjects(run);
  const result: VerifyResult = { packs: 0, bytes: 0, damagedPacks: 0, lostChunks: 0, wrongRows: 0, ...found };
  const begun = point.now();
  const total = await point.index.read((on) => packsToVerify(on, archive.number, begun));
  for (const { number, id } of total) {
    const pack = await point.index.read((on) => findPack(on, archive.number, id));
    if (pack !== null && isWhole(pack)) await verifyPack(run, pack, result);
    await run.step((on) => updatePack(on, archive.number, number, { verified: point.now() }));
    const seconds = (point.now() - begun) / 1000;
    run.emit({
      kind: 'progress',
      step: 'verify',
      done: result.packs,
      total: total.length,
      unit: 'packs',
      ...(seconds > 0 && { rate: result.bytes / seconds }),
    });
  }
  const disagrees = { code: 'index_disagrees' } as const;
  await run.step((on) => conclude(on, archive.number, disagrees, result.wrongRows > 0, point.now()));
  return result;
}

const isWhole = ({ state }: Pack): boolean => state === PACK_STATE.live || state === PACK_STATE.damaged;

async function verifyPack(run: Run, pack: Pack, result: VerifyResult): Promise<void> {
  const { point, archive } = run;
  const name = packName(archive.id, pack.id);
  const frames = (await readFrames(run, name, pack)) ?? (await readFrames(run, name, pack));
  result.packs += 1;
  result.bytes += pack.size;
  point.metrics.add('pack_bytes_verified', pack.size);
  if (frames !== null) {
    if (pack.state === PACK_STATE.damaged) await takeBack(run, pack, frames);
    result.wrongRows += await compareRows(run, pack, frames);
    return;
  }
  // It may have been compacted away and deleted while it was read.
  const now = await point.index.read((on) => findPack(on, archive.number, pack.id));
  if (now === null || !isWhole(now)) return;
  result.damagedPacks += 1;
  if (now.state === PACK_STATE.damaged) return;
  point.metrics.add('packs_damaged');
  await run.step((on) => updatePack(on, archive.number, pack.number, { state: PACK_STATE.damaged }));
  result.lostChunks += await loseRowsOf(run, [pack.number], 'damaged');
  const message = `pack ${toHex(pack.id)} is damaged; what only it held is sent again by the next backups`;
  run.emit({ kind: 'alert', alert: 'packs_damaged', message, data: { pack: toHex(pack.id) } });
}

/** The frames of a pack that is exactly what its name says, else null. */
async function readFrames(run: Run, name: string, pack: Pack): Promise<readonly PackedFrame[] | null> {
  const stream = new PackStream(run.archive.id, newSha256);
  try {
    for await (const slice of slicesOf(run.point.blobs, name, pack.size, run.signal)) stream.push(slice);
    const { packId, frames } = stream.end();
    return equalBytes(packId, pack.id) ? frames : null;
  } catch (error) {
    if (isDamage(error) || isMissing(error)) return null;
    throw error;
  }
}

async function* slicesOf(
  blobs: Pick<BlobStore, 'get'>,
  name: string,
  size: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < size; offset += SLICE)
    yield await blobs.get(name, { offset, length: Math.min(SLICE, size - offset) }, signal);
}

/** A pack that was found damaged is whole after all: a bad read, or its bytes came again. */
async function takeBack({ point, archive, step }: Run, pack: Pack, frames: readonly PackedFrame[]): Promise<void> {
  for (let at = 0; at < frames.length; at += ROWS_PER_STEP) {
    const prefixes = frames.slice(at, at + ROWS_PER_STEP).map(({ entry }) => prefixOf(entry.id));
    await step((on) => unmarkLost(on, archive.number, pack.number, prefixes));
  }
  await step((on) => updatePack(on, archive.number, pack.number, { state: PACK_STATE.live }));
  point.log.warn({ pack: toHex(pack.id) }, 'a pack that was found damaged is whole');
}

/** How many rows of the index do not say what the table says; that is for a rebuild to put right. */
async function compareRows({ point, archive, emit }: Run, pack: Pack, frames: readonly PackedFrame[]): Promise<number> {
  const byPlace = new Set(frames.map(({ entry, offset }) => `${toHex(prefixOf(entry.id))}/${offset}`));
  const prefixes = frames.map(({ entry }) => prefixOf(entry.id));
  const rows = await point.index.read((on) => rowsOfPack(on, archive.number, pack.number, prefixes));
  const wrong = rows.filter(({ prefix, offset }) => !byPlace.has(`${toHex(prefix)}/${offset}`)).length;
  const strangers = pack.rows - rows.length;
  if (wrong + strangers === 0) return 0;
  const current = await point.index.read((on) => findPack(on, archive.number, pack.id));
  if (wrong === 0 && current?.rows === rows.length) return 0;
  const message = `the index does not agree with pack ${toHex(pack.id)}; run "holdfast-server reindex"`;
  emit({ kind: 'alert', alert: 'index_disagrees', message, data: { pack: toHex(pack.id), rows: wrong + strangers } });
  return wrong + Math.abs(strangers);
}
