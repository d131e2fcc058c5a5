// Collect: finds what no snapshot needs and deletes it, beside running backups and restores (ARCHIVE §5.4).
//
//   mark    from all snapshots over open links
//           condemn (label epoch + 1) what is not marked, except packs that came after the beginning or from recent sessions
//           mark from snapshots committed meanwhile, and take their labels off
//           raise the epoch, under the archive's row lock: younger sessions do not see what is condemned
//   wait    until no session of a lower epoch is open
//   rescue  mark from all snapshots and from every tree without a label; take the labels off all that is reached
//   delete  the rows still condemned, those of damaged packs whose ids were stored again, then the packs that are empty
//
// Only the raise is one step; all else is small, repeatable and may be killed. The stage is kept in the index, marks are
// not: a stage that was interrupted begins again. One rule makes the rescue safe whatever retention does meanwhile: a
// commit takes the label off its root, so a snapshot that is there after the raise is a root of the rescue by its tree.

import { toHex } from '@holdfast/archive/format/ids.ts';
import { packName } from '@holdfast/archive/store/layout.ts';
import type { IdSet } from '../id-set.ts';
import { countLoss, lockArchive, raiseEpoch } from '../index/archives.ts';
import {
  BATCH,
  type ChunkKey,
  condemn,
  deleteCondemned,
  deleteSuperseded,
  pageOfChunks,
  START,
  sift,
  uncondemn,
} from '../index/chunks.ts';
import { type Collection, endCollection, findCollection, saveCollection } from '../index/jobs.ts';
import { forgetLosses } from '../index/lost.ts';
import type { On } from '../index/open-index.ts';
import {
  claimForDeletion,
  forgetGonePacks,
  packsBeingDeleted,
  packsInRuins,
  packsOfRecentSessions,
  updatePack,
} from '../index/packs.ts';
import { countOpenBelow, endSilentSessions } from '../index/sessions.ts';
import { committedSnapshots } from '../index/snapshots.ts';
import { PACK_STATE } from '../index/tables.ts';
import { GONE_NAME_MS, GRACE_MS, RETIRED_READABLE_MS, SESSION_SILENCE_MS } from '../limits.ts';
import { markReachable, newMarks } from './mark.ts';
import { LaneLost, type Run } from './run.ts';
import { TreeTables } from './tree-tables.ts';

export type CollectResult = {
  condemned: number;
  rescued: number;
  deleted: number;
  deletedBytes: number;
  deletedPacks: number;
};

export type CollectOutcome =
  | { readonly kind: 'done'; readonly result: CollectResult }
  | { readonly kind: 'waiting'; readonly sessions: number };

/** Goes on where an earlier run stopped; otherwise begins. Reconcile comes before it, see jobs.ts. */
export async function collect(run: Run): Promise<CollectOutcome> {
  const result: CollectResult = { condemned: 0, rescued: 0, deleted: 0, deletedBytes: 0, deletedPacks: 0 };
  let stage = await stageOf(run);
  if (stage === null || stage === 'mark') stage = (await markAndCondemn(run, result)) ? 'wait' : null;
  if (stage === 'wait') {
    const sessions = await waitForOlderSessions(run);
    if (sessions > 0) return { kind: 'waiting', sessions };
    stage = 'rescue';
  }
  if (stage === 'rescue') await rescue(run, result);
  if (stage !== null) await deleteRows(run, result);
  await dropSuperseded(run);
  await deletePacks(run, result);
  return { kind: 'done', result };
}

type Stage = 'mark' | 'wait' | 'rescue' | 'delete';

/**
 * Where an earlier run stopped. A deletion begins again with its rescue: reconcile may have taken in what needs something
 * that is condemned.
 */
const stageOf = ({ step, archive }: Run): Promise<Stage | null> =>
  step(async (on) => {
    const collection = await findCollection(on, archive.number);
    if (collection === null) return null;
    if (collection.stage !== 'delete') return collection.stage as Stage;
    await saveCollection(on, { ...collection, stage: 'rescue' });
    return 'rescue';
  });

/** In a transaction of a stage: the collection is still in it. */
async function requireStage(on: On, { archive }: Run, stage: Stage): Promise<Collection> {
  const collection = await findCollection(on, archive.number);
  if (collection?.stage !== stage) throw new LaneLost(`collect is not in its stage "${stage}" any more`);
  return collection;
}

/** False when nothing is dead: then no epoch is raised, and devices keep what they know. */
export async function markAndCondemn(run: Run, result: CollectResult): Promise<boolean> {
  const collection = await beginCollection(run);
  const tables = new TreeTables(run.point, run.archive, run.signal);
  const marks = newMarks(run);
  const known = new Set<string>();
  await markNewSnapshots(run, tables, marks, known);
  result.condemned += await condemnUnmarked(run, collection, marks);
  if (await markNewSnapshots(run, tables, marks, known)) await uncondemnMarked(run, collection.target, marks);
  if (await anyCondemned(run, collection.target)) {
    await raise(run, collection);
    return true;
  }
  await run.step((on) => endCollection(on, run.archive.number));
  return false;
}

const beginCollection = (run: Run): Promise<Collection> =>
  run.step(async (on) => {
    const { number, epoch, next_pack } = await lockArchive(on, run.archive.number);
    const started = run.point.now();
    const collection = { archive: number, stage: 'mark', target: epoch + 1, boundary: next_pack - 1, started };
    await saveCollection(on, collection);
    return collection;
  });

/** Marks what snapshots reach that are not in `known` yet; false when there are none. */
async function markNewSnapshots(run: Run, tables: TreeTables, marks: IdSet, known: Set<string>): Promise<boolean> {
  const snapshots = await run.point.index.read((on) => committedSnapshots(on, run.archive.number));
  const added = snapshots.filter(({ id }) => !known.has(toHex(id)));
  if (added.length === 0) return false;
  for (const { id, root } of added) {
    known.add(toHex(id));
    marks.add(root);
  }
  await markReachable(run, tables, marks);
  return true;
}

const PAGE = 8192;

async function condemnUnmarked(run: Run, { target, boundary }: Collection, marks: IdSet): Promise<number> {
  const { point, archive } = run;
  const since = point.now() - GRACE_MS;
  const recent = await point.index.read((on) => packsOfRecentSessions(on, archive.number, since));
  let condemned = 0;
  for (let after: ChunkKey | undefined = START; after !== undefined; ) {
    const from: ChunkKey = after;
    const page = await point.index.read((on) => pageOfChunks(on, archive.number, from, PAGE));
    const dead = page.filter(
      ({ prefix, pack, label }) => label === 0 && pack <= boundary && !recent.has(pack) && !marks.has(prefix),
    );
    for (const some of batches(dead)) condemned += await run.step((on) => condemn(on, archive.number, some, target));
    after = page.length < PAGE ? undefined : page.at(-1);
  }
  point.metrics.add('chunks_condemned', condemned);
  return condemned;
}

function* batches<T>(list: readonly T[]): Generator<T[]> {
  for (let at = 0; at < list.length; at += BATCH) yield list.slice(at, at + BATCH);
}

/** The locations that are condemned in `target`, page by page. */
async function* condemned({ point, archive }: Run, target: number): AsyncGenerator<ChunkKey[]> {
  for (let after: ChunkKey | null = START; after !== null; ) {
    const from: ChunkKey = after;
    const page = await point.index.read((on) => sift(on, archive.number, from, PAGE, { label: target }));
    if (page.rows.length > 0) yield page.rows;
    after = page.last;
  }
}

async function anyCondemned(run: Run, target: number): Promise<boolean> {
  for await (const _ of condemned(run, target)) return true;
  return false;
}

export async function uncondemnMarked(run: Run, target: number, marks: IdSet): Promise<number> {
  let cleared = 0;
  for await (const rows of condemned(run, target)) {
    const marked = rows.filter(({ prefix }) => marks.has(prefix)).map(({ prefix }) => prefix);
    for (const some of batches(marked)) cleared += await run.step((on) => uncondemn(on, run.archive.number, some));
  }
  return cleared;
}

const raise = (run: Run, collection: Collection): Promise<void> =>
  run.step(async (on) => {
    await requireStage(on, run, 'mark');
    const { epoch } = await lockArchive(on, run.archive.number);
    if (epoch !== collection.target - 1) throw new LaneLost('the epoch was raised by another collect');
    await raiseEpoch(on, run.archive.number, collection.target);
    await saveCollection(on, { ...collection, stage: 'wait' });
  });

/** How many sessions of a lower epoch are open; with 0 the next stage has begun. */
export const waitForOlderSessions = (run: Run): Promise<number> =>
  run.step(async (on) => {
    const { point, archive } = run;
    const collection = await requireStage(on, run, 'wait');
    const now = point.now();
    const silent = await endSilentSessions(on, archive.number, now - SESSION_SILENCE_MS, now);
    if (silent > 0) point.metrics.add('sessions_silent', silent);
    const open = await countOpenBelow(on, archive.number, collection.target);
    if (open === 0) await saveCollection(on, { ...collection, stage: 'rescue' });
    return open;
  });

export async function rescue(run: Run, result: CollectResult): Promise<void> {
  const { point, archive } = run;
  const { target } = await run.step((on) => requireStage(on, run, 'rescue'));
  const marks = newMarks(run);
  for (const { root } of await point.index.read((on) => committedSnapshots(on, archive.number))) marks.add(root);
  await markUncondemnedTrees(run, marks);
  await markReachable(run, new TreeTables(point, archive, run.signal), marks);
  const rescued = await uncondemnMarked(run, target, marks);
  result.rescued += rescued;
  point.metrics.add('chunks_rescued', rescued);
  await run.step(async (on) => {
    const collection = await requireStage(on, run, 'rescue');
    if (rescued > 0) await countLoss(on, archive.number);
    await saveCollection(on, { ...collection, stage: 'delete' });
  });
}

/** A tree that is present for younger sessions may be reused by its id alone, so all that it reaches must stay. */
async function markUncondemnedTrees({ point, archive }: Run, marks: IdSet): Promise<void> {
  for (let after: ChunkKey | null = START; after !== null; ) {
    const from: ChunkKey = after;
    const page = await point.index.read((on) => sift(on, archive.number, from, PAGE, { label: 0, trees: true }));
    for (const { prefix } of page.rows) marks.add(prefix);
    after = page.last;
  }
}

export async function deleteRows(run: Run, result: CollectResult): Promise<void> {
  const { point, archive } = run;
  const { target } = await run.step((on) => requireStage(on, run, 'delete'));
  for await (const rows of condemned(run, target)) {
    for (const some of batches(rows)) {
      const deleted = await run.step(async (on) => {
        await requireStage(on, run, 'delete');
        return deleteCondemned(on, archive.number, some, target);
      });
      result.deleted += deleted.rows;
      result.deletedBytes += deleted.bytes;
      point.metrics.add('chunks_deleted', deleted.rows);
    }
  }
  await run.step(async (on) => {
    await forgetLosses(on, archive.number);
    await endCollection(on, archive.number);
  });
}

/**
 * What lay in a pack that was found damaged or gone, and was stored again since, is not needed twice; without rows the
 * rest of the pack goes too. Not what devices report: a report never deletes (ARCHIVE §5.7).
 */
export async function dropSuperseded(run: Run): Promise<void> {
  const { point, archive } = run;
  const packs = await point.index.read((on) => packsInRuins(on, archive.number));
  if (packs.length === 0) return;
  for (let after: ChunkKey | null = START; after !== null; ) {
    const from: ChunkKey = after;
    const page = await point.index.read((on) => sift(on, archive.number, from, PAGE, { packs }));
    for (const some of batches(page.rows)) await run.step((on) => deleteSuperseded(on, archive.number, some));
    after = page.last;
  }
}

const PACKS_AT_ONCE = 64;

/** Empty packs, and those that compaction retired long ago: first the claim, then the object, then the name. */
export async function deletePacks(run: Run, result: Pick<CollectResult, 'deletedPacks'>): Promise<void> {
  const { point, archive } = run;
  let claimed = await point.index.read((on) => packsBeingDeleted(on, archive.number));
  for (;;) {
    for (const { number, id, size } of claimed) {
      await run.step(async () => {});
      await point.blobs.delete(packName(archive.id, id));
      const since = point.now();
      await run.step((on) => updatePack(on, archive.number, number, { state: PACK_STATE.gone, since }));
      result.deletedPacks += 1;
      point.metrics.add('packs_deleted');
      point.metrics.add('pack_bytes_deleted', size);
    }
    claimed = await run.step(async (on) => {
      await lockArchive(on, archive.number);
      const now = point.now();
      return claimForDeletion(on, archive.number, now - RETIRED_READABLE_MS, now, PACKS_AT_ONCE);
    });
    if (claimed.length === 0) break;
  }
  await run.step((on) => forgetGonePacks(on, archive.number, point.now() - GONE_NAME_MS));
}
