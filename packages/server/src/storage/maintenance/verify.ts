// Verify: looks at every small object (verify-objects.ts), then reads every pack whole, compares its bytes with its name and the index
// with its table, and marks what is bad as lost (ARCHIVE §5.7). Any flipped byte changes the hash. It reads beside everything else and
// takes the packs that were not read for longest first, so that a run that is stopped goes on where it was.

import { toHex } from '@holdfast/archive/format/ids.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { packName } from '@holdfast/archive/store/layout.ts';
import { unmarkLost } from '../index/lost.ts';
import { findPack, markVerified, type Pack, packsToVerify, updatePack } from '../index/packs.ts';
import { type Places, prefixesIn } from '../index/places.ts';
import { PACK_STATE } from '../index/tables.ts';
import { conclude } from '../index/troubles.ts';
import { countWrongRows } from '../index/wrong-rows.ts';
import { isDamage, isMissing } from '../pack-tables.ts';
import { openCheckers, SLICE } from './check-threads.ts';
import type { PackChecker } from './pack-check.ts';
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

const ROWS_PER_STEP = 1024;
/** So many packs are noted as read at once, or those of so many ms: a run that is killed reads these again. */
const MARKS_AT_ONCE = 16;
const MARK_EVERY_MS = 5000;

export async function verify(run: Run): Promise<VerifyResult> {
  const { point, archive } = run;
  const found = await verifyObjects(run);
  const result: VerifyResult = { packs: 0, bytes: 0, damagedPacks: 0, lostChunks: 0, wrongRows: 0, ...found };
  await verifyPacks(run, result);
  const disagrees = { code: 'index_disagrees' } as const;
  await run.step((on) => conclude(on, archive.number, disagrees, result.wrongRows > 0, point.now()));
  return result;
}

async function verifyPacks(run: Run, result: VerifyResult): Promise<void> {
  const { point, archive } = run;
  const begun = point.now();
  const total = await point.index.read((on) => packsToVerify(on, archive.number, begun));
  const bytes = total.reduce((sum, { size }) => sum + size, 0);
  const checkers = openCheckers(bytes, point.checkThreads);
  const marks = new Marks(run);
  try {
    await shared(checkers.all, total, async (checker, { number, id }) => {
      const pack = await point.index.read((on) => findPack(on, archive.number, id));
      if (pack !== null && isWhole(pack)) await verifyPack(run, checker, pack, result);
      await marks.add(number);
      const seconds = (point.now() - begun) / 1000;
      run.emit({
        kind: 'progress',
        step: 'verify',
        done: result.packs,
        total: total.length,
        unit: 'packs',
        ...(seconds > 0 && { rate: result.bytes / seconds }),
      });
    });
  } finally {
    await checkers.close();
    await marks.writeRest();
  }
}

/** Every worker takes the next piece when it is free. Rejects with what the first one failed with, when all have stopped. */
async function shared<W, P>(
  workers: readonly W[],
  pieces: readonly P[],
  work: (worker: W, piece: P) => Promise<void>,
): Promise<void> {
  const left = pieces.values();
  let failure: { readonly error: unknown } | null = null;
  const goOn = async (worker: W): Promise<void> => {
    for (let next = left.next(); !next.done && failure === null; next = left.next()) {
      try {
        await work(worker, next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(workers.map(goOn));
  if (failure !== null) throw (failure as { readonly error: unknown }).error;
}

/** Which packs were read, noted some at a time: each time is a transaction that a disk syncs. */
class Marks {
  private readonly run: Run;
  private numbers: number[] = [];
  private since: number;

  constructor(run: Run) {
    this.run = run;
    this.since = run.point.now();
  }

  async add(pack: number): Promise<void> {
    this.numbers.push(pack);
    const now = this.run.point.now();
    if (this.numbers.length < MARKS_AT_ONCE && Math.abs(now - this.since) < MARK_EVERY_MS) return;
    this.since = now;
    const numbers = this.numbers.splice(0);
    await this.run.step((on) => markVerified(on, this.run.archive.number, numbers, now));
  }

  /** Also of a run that is stopped: what was read was read. */
  async writeRest(): Promise<void> {
    const { point, archive } = this.run;
    if (this.numbers.length > 0)
      await point.index.write((on) => markVerified(on, archive.number, this.numbers, point.now()));
  }
}

const isWhole = ({ state }: Pack): boolean => state === PACK_STATE.live || state === PACK_STATE.damaged;

async function verifyPack(run: Run, checker: PackChecker, pack: Pack, result: VerifyResult): Promise<void> {
  const { point, archive } = run;
  const name = packName(archive.id, pack.id);
  const places = (await check(run, checker, name, pack)) ?? (await check(run, checker, name, pack));
  result.packs += 1;
  result.bytes += pack.size;
  point.metrics.add('pack_bytes_verified', pack.size);
  if (places !== null) {
    if (pack.state === PACK_STATE.damaged) await takeBack(run, pack, places);
    const wrong = await compareRows(run, pack, places);
    result.wrongRows += wrong;
    return;
  }
  // It may have been compacted away and deleted while it was read.
  const now = await point.index.read((on) => findPack(on, archive.number, pack.id));
  if (now === null || !isWhole(now)) return;
  result.damagedPacks += 1;
  if (now.state === PACK_STATE.damaged) return;
  point.metrics.add('packs_damaged');
  await run.step((on) => updatePack(on, archive.number, pack.number, { state: PACK_STATE.damaged }));
  const lost = await loseRowsOf(run, [pack.number], 'damaged');
  result.lostChunks += lost;
  const message = `pack ${toHex(pack.id)} is damaged; what only it held is sent again by the next backups`;
  run.emit({ kind: 'alert', alert: 'packs_damaged', message, data: { pack: toHex(pack.id) } });
}

/** What lies where in a pack that is exactly what its name says, else null. */
async function check(run: Run, checker: PackChecker, name: string, pack: Pack): Promise<Places | null> {
  const slices = slicesOf(run.point.blobs, name, pack.size, run.signal);
  try {
    return await checker.check({ archiveId: run.archive.id, packId: pack.id }, slices);
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
async function takeBack({ point, archive, step }: Run, pack: Pack, places: Places): Promise<void> {
  const prefixes = prefixesIn(places);
  for (let at = 0; at < prefixes.length; at += ROWS_PER_STEP) {
    const some = prefixes.slice(at, at + ROWS_PER_STEP);
    await step((on) => unmarkLost(on, archive.number, pack.number, some));
  }
  await step((on) => updatePack(on, archive.number, pack.number, { state: PACK_STATE.live }));
  point.log.warn({ pack: toHex(pack.id) }, 'a pack that was found damaged is whole');
}

/** How many rows of the index do not say what the table says; that is for a rebuild to put right. */
async function compareRows({ point, archive, emit }: Run, pack: Pack, places: Places): Promise<number> {
  const rows = await point.index.read((on) => countWrongRows(on, archive.number, pack.number, places));
  if (rows === 0) return 0;
  const message = `the index does not agree with pack ${toHex(pack.id)}; run "holdfast-server reindex"`;
  emit({ kind: 'alert', alert: 'index_disagrees', message, data: { pack: toHex(pack.id), rows } });
  return rows;
}
