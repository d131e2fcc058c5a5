// Makes the index follow the store point whatever it says now: from nothing (`holdfast-server reindex`), or after it was set
// back. Afterwards no session is open, nothing is condemned, and retention and collect wait for an administrator (ARCHIVE §4).
//
//   for each archive in the store point:
//     reconcile, however much differs; packs by their tables, in the order in which they were stored
//     trees that link what is nowhere count as above a loss

import { toHex } from '@holdfast/archive/format/ids.ts';
import { listArchives as storedArchives } from '@holdfast/archive/store/archives.ts';
import { ensureArchive, listArchives, setSuspended } from '../index/archives.ts';
import { clearLabels } from '../index/chunks.ts';
import { emptyIndex } from '../index/empty.ts';
import { endAllCollections } from '../index/jobs.ts';
import { writePoint } from '../index/point.ts';
import { endAllSessions } from '../index/sessions.ts';
import { randomHex, type StorePoint } from '../store-point.ts';
import { flagDangling } from './adopt.ts';
import type { OnEvent } from './events.ts';
import { type ReconcileResult, reconcile } from './reconcile.ts';
import { inLane, type Run } from './run.ts';
import { spreadLoss } from './spread-loss.ts';
import { TreeTables } from './tree-tables.ts';

export type RebuildOptions = {
  /** Forget what the index holds instead of correcting it. */
  readonly fromNothing: boolean;
  readonly onEvent?: OnEvent | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type RebuildResult = { archives: number; packs: number; snapshots: number; lostChunks: number };

/** Nobody else may use the index meanwhile. */
export async function rebuildIndex(point: StorePoint, options: RebuildOptions): Promise<RebuildResult> {
  await point.index.write(async (on) => {
    if (options.fromNothing) await emptyIndex(on);
    await endAllSessions(on, point.now());
    await clearLabels(on);
    await endAllCollections(on);
    await setSuspended(on, null, true);
    await writePoint(on, 'incarnation', randomHex(point, 8));
  });
  for await (const id of storedArchives(point.blobs, options.signal))
    await point.index.write((on) => ensureArchive(on, id, true));
  const result: RebuildResult = { archives: 0, packs: 0, snapshots: 0, lostChunks: 0 };
  for (const archive of await point.index.read((on) => listArchives(on))) {
    const made = await inLane(point, archive, 'structure', 'reconcile', options, rebuildArchive);
    if (made === null) throw new Error(`archive ${toHex(archive.id)} is being worked on`);
    result.archives += 1;
    result.packs += made.adoptedPacks;
    result.snapshots += made.adoptedSnapshots;
    result.lostChunks += made.lostChunks;
  }
  return result;
}

async function rebuildArchive(run: Run): Promise<ReconcileResult> {
  run.emit({ kind: 'started' });
  const result = await reconcile(run, { rebuild: true });
  await flagAllDangling(run);
  result.lostChunks += await spreadLoss(run);
  const message = 'the index was made anew; retention and collect are off until "holdfast-server maintain --enable"';
  run.emit({ kind: 'alert', alert: 'index_rebuilt', message, data: result });
  run.emit({ kind: 'finished', result });
  return result;
}

async function flagAllDangling(run: Run): Promise<void> {
  const tables = new TreeTables(run.point, run.archive, run.signal);
  const packs = (await tables.packs()).reverse();
  for (const [i, pack] of packs.entries()) {
    await flagDangling(run.step, run.archive, (await tables.read(pack)).frames, run.point.now());
    run.emit({ kind: 'progress', step: 'links', done: i + 1, total: packs.length, unit: 'packs' });
  }
}
