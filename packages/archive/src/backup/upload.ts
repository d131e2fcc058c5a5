/**
 * Sends packs, children before parents (ARCHIVE §5.1).
 *
 * ```
 * data packs:   at once, some at a time, in any order
 * tree packs:   one at a time, in order; each only when every chunk claimed before its last tree was made lies in an acknowledged pack
 * at the end:   what the workers had left over is packed together; less than 4 MiB in all goes with the snapshot as one mixed pack
 * ```
 * "Claimed before" is a number (claim-table.ts). For each worker the lowest claim that may not be acknowledged yet is known: of its packs
 * under way, and of the one it is filling (its *bound*, told with every message). A tree pack with mark m may go when none is below m.
 *
 * A tree that the destination refuses because it lacks what the tree links ends the sending of trees (`refused`), not the run: data goes
 * on, and the next round makes the trees again.
 */
import { hash } from 'node:crypto';
import { release } from '../crypto-node/release.ts';
import type { CommitResult, PackUpload } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import { PACK_TARGET, PackWriter } from '../format/pack.ts';
import type { ClaimTable } from './claim-table.ts';
import type { Destination } from './destination.ts';
import { type FilledPack, type LoosePack, NO_CLAIM, newHash } from './pack-filler.ts';

/** Less than this goes in one request with the snapshot (ARCHIVE §4). */
const MIXED_BYTES: number = 4 * 1024 * 1024;
/** Trees that wait for so long that the workers are asked to send what they have. */
const WAITING_BYTES: number = 64 * 1024 * 1024;
/** Data packs under way at the same time. */
const PARALLEL_PUTS = 3;
/** When one pack fails for good, those under way beside it may end for so long, ms: what is cut would be sent again by the next run. */
const FINISHING_MS = 30_000;

type Packed = PackUpload & { readonly ids: Uint8Array };
type TreePack = Packed & { readonly mark: number };

export type UploadOptions = {
  readonly destination: Pick<Destination, 'putPack' | 'commit'>;
  readonly table: Pick<ClaimTable, 'claims'>;
  readonly archiveId: Uint8Array;
  readonly workers: number;
  readonly onPack: (bytes: number, result: 'stored' | 'exists') => void;
  /** Asks the workers to close their packs. */
  readonly closePacks: () => void;
  /** A worker's pack is acknowledged: it may fill another, in this memory if there is some. */
  readonly givePermit: (worker: number, memory: ArrayBuffer | null) => void;
  /** The run cannot go on. */
  readonly fail: (error: unknown) => void;
};

export class Upload {
  private readonly options: UploadOptions;
  private readonly bounds: number[];
  /** Data that is not acknowledged. */
  private readonly outstanding = new Set<{ readonly lowest: number; readonly bytes: Uint8Array }>();
  private readonly turns: (() => void)[] = [];
  private active = 0;
  /** Trees are copied into their pack at once: small buffers kept for long would hold on to what was allocated beside them. */
  private trees: PackWriter | null = null;
  private treeFrames: { readonly id: Uint8Array; readonly offset: number; readonly length: number }[] = [];
  private mark = 0;
  private queue: TreePack[] = [];
  private sendingTrees = false;
  private readonly underWay = new Set<Promise<unknown>>();
  /** A pack could not be sent, so no other is begun; those under way end before `fail` hears of it. */
  private failed = false;
  private loose: LoosePack[] = [];
  /** Somebody waits for all trees: what a worker has left is sent at once, for a tree may link it. */
  private treesAwaited = false;
  private settled: (() => void)[] = [];
  /** What the destination lacks, by its own account. */
  refused: readonly Uint8Array[] | null = null;
  bytesStored = 0;
  packs = 0;

  constructor(options: UploadOptions) {
    this.options = options;
    this.bounds = Array.from({ length: options.workers }, () => 0);
  }

  /** Sealed, and not acknowledged yet. */
  get bytesWaiting(): number {
    let bytes = this.trees?.size ?? 0;
    for (const pack of [...this.outstanding, ...this.queue]) bytes += pack.bytes.length;
    return bytes;
  }

  /** All workers begin another round. */
  begin(): void {
    this.bounds.fill(0);
    this.refused = null;
  }

  setBound(worker: number, bound: number): void {
    this.bounds[worker] = bound;
    this.pump();
  }

  addData(worker: number, pack: FilledPack, bound: number): void {
    const { lowest, packId, bytes, ids } = pack;
    this.send(lowest, { id: packId, bytes, ids }, () => {
      this.options.givePermit(worker, bytes.buffer instanceof ArrayBuffer ? bytes.buffer : null);
    });
    this.setBound(worker, bound);
  }

  /** A worker is done: it claims nothing more. What it has left waits here. */
  addLoose(worker: number, loose: LoosePack | null): void {
    if (loose) {
      this.outstanding.add(loose);
      this.loose.push(loose);
    }
    if (this.treesAwaited) this.sendLoose();
    this.setBound(worker, NO_CLAIM);
  }

  /** In order: children before parents. */
  addTree(id: Uint8Array, frame: Uint8Array): void {
    this.trees ??= new PackWriter(this.options.archiveId, newHash);
    this.treeFrames.push({ id, offset: this.trees.add(frame), length: frame.length });
    this.mark = this.options.table.claims;
    if (this.trees.size >= PACK_TARGET) this.closeTrees();
  }

  /** Resolves when all trees made so far are acknowledged, or refused; the workers may go on meanwhile. */
  async sendTrees(): Promise<void> {
    this.treesAwaited = true;
    this.closeTrees();
    this.options.closePacks();
    this.sendLoose();
    await this.until(() => this.refused !== null || this.queue.length === 0);
    this.treesAwaited = false;
  }

  /** All workers are done: sends the rest and the snapshot. `null` if trees or snapshot were refused. */
  async finish(object: Uint8Array): Promise<CommitResult | null> {
    const mixed = this.packs === 0 && this.active === 0 && this.queue.length === 0 ? this.mixedPack() : null;
    return mixed !== null || (await this.sendRest()) ? this.commit(object, mixed) : null;
  }

  /** All workers are done: sends the rest. `false` if trees were refused. */
  async sendRest(): Promise<boolean> {
    this.sendLoose();
    this.closeTrees();
    await this.until(() => this.active === 0 && (this.refused !== null || this.queue.length === 0));
    return this.refused === null;
  }

  /** After a refusal: sends the data that is left, and forgets the trees, whose ids are given back. */
  async abandonTrees(): Promise<Uint8Array[]> {
    this.sendLoose();
    await this.until(() => this.active === 0);
    const queued = this.queue.flatMap(({ ids }) => split(ids));
    const ids = [...queued, ...this.treeFrames.map(({ id }) => id)];
    this.queue = [];
    this.dropTrees();
    return ids;
  }

  private async commit(object: Uint8Array, mixed: Packed | null): Promise<CommitResult | null> {
    const { destination } = this.options;
    try {
      const result = await destination.commit(object, mixed ?? undefined, mixed?.ids);
      if (mixed) {
        this.count(mixed, 'stored');
        this.loose = [];
        this.outstanding.clear();
        this.dropTrees();
      }
      return result;
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.refused = error.data.ids ?? [];
      return null;
    }
  }

  private mixedPack(): Packed | null {
    const bytes = this.loose.reduce((sum, pack) => sum + pack.bytes.length, this.trees?.size ?? 0);
    if (bytes >= MIXED_BYTES || bytes === 0) return null;
    const data = this.loose.flatMap(framesOf);
    const whole = this.trees?.finish();
    const trees = this.treeFrames.map(({ offset, length }) => whole?.subarray(offset, offset + length) as Uint8Array);
    const ids = Buffer.concat([...this.loose.map((loose) => loose.ids), ...this.treeFrames.map(({ id }) => id)]);
    return this.packed([...data, ...trees], ids);
  }

  private dropTrees(): void {
    this.trees = null;
    this.treeFrames = [];
  }

  private closeTrees(): void {
    if (this.trees === null) return;
    const bytes = this.trees.finish();
    const ids = Buffer.concat(this.treeFrames.map(({ id }) => id));
    this.queue.push({ id: hash('sha256', bytes, 'buffer'), bytes, ids, mark: this.mark });
    this.dropTrees();
    if (this.queue.reduce((sum, { bytes }) => sum + bytes.length, 0) > WAITING_BYTES) this.options.closePacks();
    this.pump();
  }

  /** What the workers had left over: as it is, or several together where they fit into one pack. */
  private sendLoose(): void {
    let group: LoosePack[] = [];
    let bytes = 0;
    const flush = () => {
      const [first] = group;
      if (first) {
        const pack = this.joined(group);
        this.send(Math.min(...group.map(({ lowest }) => lowest)), pack, () => release(pack.bytes));
      }
      group = [];
      bytes = 0;
    };
    const all = this.loose.splice(0);
    for (const pack of all) {
      if (bytes + pack.bytes.length > PACK_TARGET) flush();
      group.push(pack);
      bytes += pack.bytes.length;
    }
    flush();
    for (const pack of all) {
      this.outstanding.delete(pack);
      this.options.givePermit(0, null);
    }
  }

  private joined(packs: readonly LoosePack[]): Packed {
    const [first] = packs;
    if (packs.length === 1 && first) return { id: first.packId, bytes: first.bytes, ids: first.ids };
    return this.packed(packs.flatMap(framesOf), Buffer.concat(packs.map(({ ids }) => ids)));
  }

  private packed(frames: readonly Uint8Array[], ids: Uint8Array): Packed {
    const size = frames.reduce((sum, frame) => sum + 2 * 44 + frame.length, 0);
    const writer = new PackWriter(this.options.archiveId, newHash, size + 65_536);
    for (const frame of frames) writer.add(frame);
    const bytes = writer.finish();
    return { id: hash('sha256', bytes, 'buffer'), bytes, ids };
  }

  private send(lowest: number, pack: Packed, done: () => void): void {
    const claim = { lowest, bytes: pack.bytes };
    this.outstanding.add(claim);
    this.active++;
    void this.run(async () => {
      await this.turn();
      try {
        if (this.failed) return;
        await this.put(pack);
      } catch (error) {
        this.failed = true; // before the next one has its turn
        throw error;
      } finally {
        this.turns.shift();
        this.turns[PARALLEL_PUTS - 1]?.();
      }
      this.outstanding.delete(claim);
      done();
    }).finally(() => {
      this.active--;
      this.pump();
      this.wake();
    });
  }

  private async put(pack: Packed): Promise<void> {
    const sending = this.options.destination.putPack(pack, pack.ids);
    this.underWay.add(sending);
    try {
      this.count(pack, await sending);
    } finally {
      this.underWay.delete(sending);
    }
  }

  private count({ bytes }: Packed, result: 'stored' | 'exists'): void {
    this.packs++;
    this.bytesStored += bytes.length;
    this.options.onPack(bytes.length, result);
  }

  /** Waits until fewer than PARALLEL_PUTS are before this one. */
  private turn(): Promise<void> {
    return new Promise((resolve) => {
      this.turns.push(resolve);
      if (this.turns.length <= PARALLEL_PUTS) resolve();
    });
  }

  private pump(): void {
    const [next] = this.queue;
    if (next === undefined || this.failed || this.sendingTrees || this.refused !== null) return;
    if (this.lowest() < next.mark) return;
    this.sendingTrees = true;
    void this.run(async () => {
      try {
        await this.put(next);
        this.queue.shift();
      } catch (error) {
        if (!isMissing(error)) throw error;
        this.refused = error.data.ids ?? [];
      }
    }).finally(() => {
      this.sendingTrees = false;
      this.pump();
      this.wake();
    });
  }

  /** Every claim below this is acknowledged. */
  private lowest(): number {
    let lowest = NO_CLAIM;
    for (const bound of this.bounds) lowest = Math.min(lowest, bound);
    for (const claim of this.outstanding) lowest = Math.min(lowest, claim.lowest);
    return lowest;
  }

  private async run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.failed = true;
      await settledWithin(this.underWay, FINISHING_MS);
      this.options.fail(error);
    }
  }

  /** The run's own failure ends the waiting too: whoever waits races with it. */
  private async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.settled.push(resolve));
  }

  private wake(): void {
    for (const resolve of this.settled.splice(0)) resolve();
  }
}

function framesOf({ bytes, frames }: LoosePack): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let i = 0; i < frames.length; i += 2) {
    const offset = frames[i] as number;
    found.push(bytes.subarray(offset, offset + (frames[i + 1] as number)));
  }
  return found;
}

/** Resolves when all have ended, however they did, or after `ms`. */
async function settledWithin(promises: Iterable<Promise<unknown>>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([Promise.allSettled(promises), late]);
  clearTimeout(timer);
}

function isMissing(error: unknown): error is ArchiveError {
  return error instanceof ArchiveError && error.code === 'links_missing';
}

function split(ids: Uint8Array): Uint8Array[] {
  return Array.from({ length: ids.length / 32 }, (_, i) => ids.subarray(i * 32, (i + 1) * 32));
}
