// Compaction: copies the frames that still have a row out of packs that are mostly dead, or small, into new packs, and
// retires the old (ARCHIVE §5.3). It never decides what is dead, and bytes are copied as they are: no key is needed.
//
//   plan:     which packs are worth it (pure)
//   copy:     frames of one pack after the other into a pack of data and one of trees, each about 16 MiB
//   publish:  name claimed -> object durable -> pack live -> locations move in small steps, each with its label
//   retire:   a pack that no location leads to stays readable 24 h; collect deletes it

import { createHash } from 'node:crypto';
import { equalBytes, toHex } from '@holdfast/archive/format/ids.ts';
import { PACK_TARGET, type PackedFrame, PackWriter, readPackTable } from '@holdfast/archive/format/pack.ts';
import { packName } from '@holdfast/archive/store/layout.ts';
import { lockArchive } from '../index/archives.ts';
import { rowsOfPack } from '../index/chunks.ts';
import { type Move, moveChunks } from '../index/moves.ts';
import type { On } from '../index/open-index.ts';
import { findPack, holdPack, insertPack, type Pack, pageOfPacks, updatePack } from '../index/packs.ts';
import { prefixOf } from '../index/prefix.ts';
import { PACK_STATE } from '../index/tables.ts';
import { COMPACT_DEAD_SHARE, COMPACT_SMALL_BYTES, COMPACT_SMALL_COUNT } from '../limits.ts';
import { isMissing, newSha256 } from '../pack-tables.ts';
import type { Run } from './run.ts';

export type CompactCandidate = Pick<Pack, 'number' | 'id' | 'size' | 'content' | 'rows' | 'bytes' | 'state'>;

/** Pure: the packs to rewrite, in the order of their numbers. */
export function planCompaction<P extends CompactCandidate>(packs: readonly P[]): P[] {
  const whole = packs.filter(({ state, rows }) => state === PACK_STATE.live && rows > 0);
  const small = whole.filter(({ size }) => size < COMPACT_SMALL_BYTES);
  const joined = new Set(small.length >= COMPACT_SMALL_COUNT ? small : []);
  const isMostlyDead = ({ content, bytes }: P) => bytes < content * (1 - COMPACT_DEAD_SHARE);
  return whole.filter((pack) => joined.has(pack) || isMostlyDead(pack)).sort((a, b) => a.number - b.number);
}

export type CompactResult = { rewritten: number; written: number; copiedBytes: number; damaged: number };

export async function compact(run: Run): Promise<CompactResult> {
  const result: CompactResult = { rewritten: 0, written: 0, copiedBytes: 0, damaged: 0 };
  const plan = planCompaction(await allPacks(run));
  const outputs = { data: new Output(run, result), trees: new Output(run, result) };
  for (const [i, pack] of plan.entries()) {
    await copyPack(run, pack, outputs, result);
    run.emit({ kind: 'progress', step: 'copy', done: i + 1, total: plan.length, unit: 'packs' });
  }
  await outputs.data.publish();
  await outputs.trees.publish();
  for (const pack of plan) if (await retireIfEmpty(run, pack)) result.rewritten += 1;
  run.point.metrics.add('packs_compacted', result.rewritten);
  return result;
}

const PACKS = 1024;

async function allPacks({ point, archive }: Run): Promise<Pack[]> {
  const packs: Pack[] = [];
  for (let after = 0; ; ) {
    const from = after;
    const page = await point.index.read((on) => pageOfPacks(on, archive.number, from, PACKS));
    packs.push(...page);
    if (page.length < PACKS) return packs;
    after = page.at(-1)?.number ?? after;
  }
}

async function copyPack(
  run: Run,
  pack: CompactCandidate,
  outputs: { readonly data: Output; readonly trees: Output },
  result: CompactResult,
): Promise<void> {
  const { archive } = run;
  const bytes = await readWhole(run, pack);
  if (bytes === null) {
    result.damaged += 1;
    return;
  }
  const frames = readPackTable(bytes, archive.id, newSha256);
  for (const frame of await framesWithRow(run, pack.number, frames)) {
    const output = frame.entry.links.length > 0 ? outputs.trees : outputs.data;
    await output.add(bytes.subarray(frame.offset, frame.offset + frame.length), pack.number, frame);
    result.copiedBytes += frame.length;
  }
}

/** Null for a pack that is not what its name says: verify and reconcile deal with it, nothing of it is spread. */
async function readWhole(
  { point, archive, signal }: Run,
  { id }: Pick<CompactCandidate, 'id'>,
): Promise<Uint8Array | null> {
  try {
    const bytes = await point.blobs.get(packName(archive.id, id), undefined, signal);
    return equalBytes(createHash('sha256').update(bytes).digest(), id) ? bytes : null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function framesWithRow({ point, archive }: Run, pack: number, frames: readonly PackedFrame[]) {
  const prefixes = frames.map(({ entry }) => prefixOf(entry.id));
  const rows = await point.index.read((on) => rowsOfPack(on, archive.number, pack, prefixes));
  const wanted = new Set(rows.map(({ prefix, offset }) => `${toHex(prefix)}/${offset}`));
  return frames.filter(({ entry, offset }) => wanted.has(`${toHex(prefixOf(entry.id))}/${offset}`));
}

const MOVES_PER_STEP = 512;

/** A new pack that is being filled. */
class Output {
  private readonly run: Run;
  private readonly result: CompactResult;
  private writer: PackWriter | null = null;
  private moves: (Move & { readonly tree: boolean })[] = [];
  private content = 0;
  private readonly ids = new Set<string>();

  constructor(run: Run, result: CompactResult) {
    this.run = run;
    this.result = result;
  }

  async add(frame: Uint8Array, from: number, { entry }: PackedFrame): Promise<void> {
    const prefix = prefixOf(entry.id);
    const key = toHex(prefix);
    // Two locations of one id may differ in their labels, and one pack has one row for it.
    const isClosed = this.ids.has(key) || (this.writer !== null && !this.writer.fits(frame));
    if (isClosed) await this.publish();
    this.writer ??= new PackWriter(this.run.archive.id, newSha256, PACK_TARGET);
    const offset = this.writer.add(frame);
    this.ids.add(key);
    this.content += frame.length;
    this.moves.push({ prefix, from, offset, tree: entry.links.length > 0 });
    if (this.writer.size >= PACK_TARGET) await this.publish();
  }

  async publish(): Promise<void> {
    const { run, writer, moves } = this;
    if (writer === null) return;
    const bytes = writer.finish();
    const id = createHash('sha256').update(bytes).digest();
    const pack = await this.place(id, bytes);
    if (pack !== null) await this.moveTo(pack);
    this.writer = null;
    this.moves = [];
    this.content = 0;
    this.ids.clear();
    run.point.log.debug({ pack: toHex(id), frames: moves.length }, 'compaction filled a pack');
  }

  /** Where these bytes lie for certain; null while their name is not free: then the frames stay where they are. */
  private async place(id: Uint8Array, bytes: Uint8Array): Promise<number | null> {
    const { run } = this;
    const claimed = await run.step((on) => this.claim(on, id, bytes.length));
    if (claimed.isNew) {
      await run.point.blobs.put(packName(run.archive.id, id), bytes);
      await run.step((on) => updatePack(on, run.archive.number, claimed.number, { state: PACK_STATE.live }));
      this.result.written += 1;
      return claimed.number;
    }
    const isFree = claimed.state === PACK_STATE.live && this.moves.some(({ from }) => from !== claimed.number);
    // Left by a run that died. It may have decayed since, and what leads to it from here is good.
    return isFree && (await readWhole(run, { id })) !== null ? claimed.number : null;
  }

  /**
   * A new pack is one that is being deleted until it is written: should this run die, collect removes what there is of it.
   * Reconcile would take it in, beside the pack that it was to replace.
   */
  private async claim(on: On, id: Uint8Array, size: number) {
    const { number: archive } = this.run.archive;
    const known = await findPack(on, archive, id);
    if (known !== null) return { isNew: false, number: known.number, state: known.state };
    const number = await insertPack(on, this.row(id, size), PACK_STATE.deleting);
    return { isNew: true, number, state: PACK_STATE.deleting };
  }

  private async moveTo(pack: number): Promise<void> {
    const moves = this.moves.filter(({ from }) => from !== pack);
    for (let at = 0; at < moves.length; at += MOVES_PER_STEP) {
      const some = moves.slice(at, at + MOVES_PER_STEP);
      await this.run.step((on) => moveChunks(on, this.run.archive.number, pack, some));
    }
  }

  private row(id: Uint8Array, size: number) {
    return {
      archive: this.run.archive.number,
      id,
      size,
      content: this.content,
      frames: this.moves.length,
      trees: this.moves.filter(({ tree }) => tree).length,
      rows: 0,
      bytes: 0,
      session: 0,
      received: this.run.point.now(),
    };
  }
}

const retireIfEmpty = ({ step, archive, point }: Run, { id, number }: CompactCandidate): Promise<boolean> =>
  step(async (on) => {
    await lockArchive(on, archive.number);
    const pack = await holdPack(on, archive.number, id);
    if (pack?.state !== PACK_STATE.live || pack.rows > 0) return false;
    await updatePack(on, archive.number, number, { state: PACK_STATE.retired, since: point.now() });
    return true;
  });
