// Compares what lies in the store point with the index, and lets the index follow (ARCHIVE §4).
//
// Both lists come in the order of names and are merged; what differs is looked at a second time, since packs come and go
// meanwhile. A plan is made first. When more differs than a crash explains, nothing is done: perhaps the wrong disk is
// mounted, and marking everything lost would make every device send everything again.

import { compareBytes, toHex } from '@holdfast/archive/format/ids.ts';
import { folderPrefix, packName, parseName, snapshotName } from '@holdfast/archive/store/layout.ts';
import { START, sift } from '../index/chunks.ts';
import { markLost } from '../index/lost.ts';
import { findPack, isAnnounced, type Pack, pageOfPackNames, updatePack } from '../index/packs.ts';
import { findSnapshot, snapshotIds } from '../index/snapshots.ts';
import { PACK_STATE, SNAPSHOT_STATE } from '../index/tables.ts';
import { conclude } from '../index/troubles.ts';
import { FREE_UNKNOWN, FREE_VANISHED, RECONCILE_SHARE } from '../limits.ts';
import {
  adoptPack,
  adoptSnapshot,
  type FoundPack,
  flagDangling,
  type ReadPack,
  readByTable,
  readWhole,
  treesOf,
} from './adopt.ts';
import type { Run } from './run.ts';

export type IndexedPack = Pick<Pack, 'id' | 'number' | 'state' | 'size'>;

export type Difference =
  /** An object without a row. */
  | { readonly kind: 'unknown'; readonly pack: FoundPack }
  /** A row without an object, or with one of another length. */
  | { readonly kind: 'vanished'; readonly pack: IndexedPack };

/** States in which a pack's object must be there. */
const MUST_BE_THERE: ReadonlySet<number> = new Set([PACK_STATE.live, PACK_STATE.retired, PACK_STATE.damaged]);

/** Pure: what two lists, both ascending by id, say about each other. */
export async function* compareLists(
  stored: AsyncIterable<FoundPack>,
  indexed: AsyncIterable<IndexedPack>,
): AsyncGenerator<Difference> {
  const rows = indexed[Symbol.asyncIterator]();
  let row = await rows.next();
  const before = (pack: FoundPack) => !row.done && compareBytes(row.value.id, pack.id) < 0;
  for await (const pack of stored) {
    for (; before(pack); row = await rows.next())
      if (isExpected(row.value)) yield { kind: 'vanished', pack: row.value };
    if (row.done || compareBytes(row.value.id, pack.id) > 0) {
      yield { kind: 'unknown', pack };
      continue;
    }
    if (row.value.state === PACK_STATE.missing) yield { kind: 'unknown', pack };
    else if (isExpected(row.value) && row.value.size !== pack.size) yield { kind: 'vanished', pack: row.value };
    row = await rows.next();
  }
  for (; !row.done; row = await rows.next()) if (isExpected(row.value)) yield { kind: 'vanished', pack: row.value };
}

const isExpected = ({ state }: IndexedPack): boolean => MUST_BE_THERE.has(state);

/**
 * Is so much different that it is no accident of ours? A crash leaves some unknown packs; vanished ones it leaves none, and
 * where everything has vanished the wrong storage is mounted.
 */
export function isTooDifferent(packs: number, differences: readonly Pick<Difference, 'kind'>[]): boolean {
  const vanished = differences.filter(({ kind }) => kind === 'vanished').length;
  const unknown = differences.length - vanished;
  const share = Math.floor(packs * RECONCILE_SHARE);
  if (packs === 0 && vanished > 0) return true;
  return vanished > Math.max(FREE_VANISHED, share) || unknown > Math.max(FREE_UNKNOWN, share);
}

export type ReconcileOptions = {
  /** Do it whatever the difference, and trust tables: the index is made anew. */
  readonly rebuild?: boolean;
};

export type ReconcileResult = {
  packs: number;
  adoptedPacks: number;
  vanishedPacks: number;
  lostChunks: number;
  adoptedSnapshots: number;
  /** 1 when there was too much to do. */
  stopped: number;
};

export async function reconcile(run: Run, { rebuild = false }: ReconcileOptions = {}): Promise<ReconcileResult> {
  const result = { packs: 0, adoptedPacks: 0, vanishedPacks: 0, lostChunks: 0, adoptedSnapshots: 0, stopped: 0 };
  const differences = await confirmed(run, await listDifferences(run, result));
  result.stopped = !rebuild && isTooDifferent(result.packs, differences) ? 1 : 0;
  const stopped = { code: 'reconcile_stopped' } as const;
  await run.step((on) => conclude(on, run.archive.number, stopped, result.stopped === 1, run.point.now()));
  if (result.stopped === 1) {
    const message = `${differences.length} of ${result.packs} packs differ between store point and index; nothing was changed. Check that the right storage is mounted and whole, then run "holdfast-server reindex"`;
    run.emit({ kind: 'alert', alert: 'reconcile_stopped', message, data: { differences: differences.length } });
    return result;
  }
  const vanished = differences.filter((d) => d.kind === 'vanished').map((d) => d.pack);
  const unknown = differences.filter((d) => d.kind === 'unknown').map((d) => d.pack);
  await markVanished(run, vanished, result);
  await adoptAll(run, unknown, rebuild, result);
  await reconcileSnapshots(run, result);
  return result;
}

async function listDifferences(run: Run, result: ReconcileResult): Promise<Difference[]> {
  const differences: Difference[] = [];
  for await (const difference of compareLists(storedPacks(run, result), indexedPacks(run)))
    differences.push(difference);
  return differences;
}

async function* storedPacks({ point, archive, signal, emit }: Run, result: ReconcileResult): AsyncGenerator<FoundPack> {
  for await (const { name, size, modified } of point.blobs.list(
    folderPrefix(archive.id, 'packs'),
    signal ? { signal } : {},
  )) {
    const object = parseName(name);
    if (object?.kind !== 'pack') continue;
    result.packs += 1;
    if (result.packs % 1024 === 0)
      emit({ kind: 'progress', step: 'list', done: result.packs, total: result.packs, unit: 'packs' });
    yield { id: object.id, size, modified };
  }
}

const NAMES = 1024;

async function* indexedPacks({ point, archive }: Run): AsyncGenerator<IndexedPack> {
  for (let after: Uint8Array | undefined = new Uint8Array(0); after !== undefined; ) {
    const from: Uint8Array = after;
    const page = await point.index.read((on) => pageOfPackNames(on, archive.number, from, NAMES));
    yield* page;
    after = page.length < NAMES ? undefined : page.at(-1)?.id;
  }
}

/** A second look at each, in the order in which an upload or a deletion makes its traces. */
async function confirmed(run: Run, differences: readonly Difference[]): Promise<Difference[]> {
  const still: Difference[] = [];
  for (const difference of differences) if (await isStill(run, difference)) still.push(difference);
  return still;
}

async function isStill({ point, archive }: Run, difference: Difference): Promise<boolean> {
  const { id } = difference.pack;
  const stat = await point.blobs.stat(packName(archive.id, id));
  const { row, announced } = await point.index.read(async (on) => ({
    announced: await isAnnounced(on, archive.number, id),
    row: await findPack(on, archive.number, id),
  }));
  if (announced) return false;
  if (difference.kind === 'unknown') return stat !== null && (row === null || row.state === PACK_STATE.missing);
  return row !== null && isExpected(row) && stat?.size !== row.size;
}

async function markVanished(run: Run, packs: readonly IndexedPack[], result: ReconcileResult): Promise<void> {
  if (packs.length === 0) return;
  const { point, archive } = run;
  const numbers = packs.map((pack) => pack.number);
  for (const number of numbers)
    await run.step((on) => updatePack(on, archive.number, number, { state: PACK_STATE.missing, since: point.now() }));
  result.vanishedPacks = packs.length;
  result.lostChunks = await loseRowsOf(run, numbers, 'missing');
  const message = `${packs.length} packs are gone from the store point; what only they held is sent again by the next backups`;
  run.emit({ kind: 'alert', alert: 'packs_vanished', message, data: { packs: packs.map(({ id }) => toHex(id)) } });
}

const PAGE = 8192;
const AT_ONCE = 1024;

/** Every location in these packs counts as lost. Returns how many ids are lost by it. */
export async function loseRowsOf(run: Run, packs: readonly number[], reason: 'missing' | 'damaged'): Promise<number> {
  const { point, archive } = run;
  let lost = 0;
  for (let after: typeof START | null = START; after !== null; ) {
    const from: typeof START = after;
    const page = await point.index.read((on) => sift(on, archive.number, from, PAGE, { packs }));
    for (let at = 0; at < page.rows.length; at += AT_ONCE) {
      const rows = page.rows.slice(at, at + AT_ONCE);
      lost += (await run.step((on) => markLost(on, archive.number, rows, reason, point.now()))).length;
    }
    after = page.last;
  }
  point.metrics.add('chunks_lost', lost);
  return lost;
}

/** Packs without trees first, then in the order in which they were stored: so links mostly find what they lead to. */
async function adoptAll(
  run: Run,
  packs: readonly FoundPack[],
  rebuild: boolean,
  result: ReconcileResult,
): Promise<void> {
  const inOrder = packs.toSorted((a, b) => a.modified - b.modified || compareBytes(a.id, b.id));
  const withTrees: ReadPack[] = [];
  const damaged: string[] = [];
  for (const [i, pack] of inOrder.entries()) {
    const read = await (rebuild ? readByTable : readWhole)(run.point, run.archive, pack, run.signal);
    if (read === null) continue;
    if (read.damaged) damaged.push(toHex(read.id));
    if (read.damaged && !rebuild) continue;
    if (treesOf(read).length > 0 && !rebuild) withTrees.push(read);
    else if (await adoptPack(run.step, run.archive, read)) result.adoptedPacks += 1;
    run.emit({ kind: 'progress', step: 'adopt', done: i + 1, total: inOrder.length, unit: 'packs' });
  }
  for (const pack of withTrees) {
    await flagDangling(run.step, run.archive, treesOf(pack), run.point.now());
    if (await adoptPack(run.step, run.archive, pack)) result.adoptedPacks += 1;
  }
  if (damaged.length > 0) {
    const message = `${damaged.length} packs that the index does not know are damaged`;
    run.emit({ kind: 'alert', alert: 'packs_unknown_damaged', message, data: { packs: damaged } });
  }
}

async function reconcileSnapshots(run: Run, result: ReconcileResult): Promise<void> {
  const { point, archive } = run;
  const rows = await point.index.read((on) => snapshotIds(on, archive.number));
  const expected = new Set(rows.filter(({ state }) => state === SNAPSHOT_STATE.committed).map(({ id }) => toHex(id)));
  const known = new Set(rows.map(({ id }) => toHex(id)));
  for await (const { name } of point.blobs.list(folderPrefix(archive.id, 'snapshots'))) {
    const object = parseName(name);
    if (object?.kind !== 'snapshot') continue;
    expected.delete(toHex(object.id));
    if (known.has(toHex(object.id))) continue;
    if ((await adoptSnapshot(point, run.step, archive, object.id)) === 'adopted') result.adoptedSnapshots += 1;
  }
  const vanished: string[] = [];
  for (const id of expected) if (await hasVanished(run, Uint8Array.fromHex(id))) vanished.push(id);
  const trouble = { code: 'snapshots_vanished' } as const;
  await run.step((on) => conclude(on, archive.number, trouble, vanished.length > 0, point.now()));
  if (vanished.length > 0) {
    const message = `${vanished.length} snapshots are gone from the store point; what they refer to is kept`;
    run.emit({ kind: 'alert', alert: 'snapshots_vanished', message, data: { snapshots: vanished } });
  }
}

async function hasVanished({ point, archive }: Run, id: Uint8Array): Promise<boolean> {
  if ((await point.blobs.stat(snapshotName(archive.id, id))) !== null) return false;
  const row = await point.index.read((on) => findSnapshot(on, archive.number, id));
  return row?.state === SNAPSHOT_STATE.committed;
}
