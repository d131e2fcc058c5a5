/** One round of a run: plan, read, make trees. */
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import type { Excludes } from '../source/exclude.ts';
import { Assembler } from './assembler.ts';
import { asBuffer } from './byte-writer.ts';
import type { Cache, Totals } from './cache.ts';
import type { ClaimTable } from './claim-table.ts';
import type { Dissolve } from './dissolve.ts';
import type { FileTable } from './file-table.ts';
import type { HardLinks } from './hard-links.ts';
import { KnownFiles, Presence } from './known-files.ts';
import type { Node } from './node.ts';
import type { BackupOptions } from './options.ts';
import { markDirty, planRound, type RoundInput, type RoundPlan } from './plan.ts';
import type { WorkerPool } from './pool.ts';
import { Controls } from './shared.ts';
import type { Skip } from './skip.ts';
import { type PutChunk, TreeChunks } from './tree-chunks.ts';
import type { Upload } from './upload.ts';

/** Packs in memory beside those that the workers fill, 16 MiB each. When the network is the bottleneck, all of them are under way. */
const PACKS_UNDER_WAY = 1;
const FEWEST_PACKS = 3;

export type RoundOptions = {
  readonly options: BackupOptions;
  readonly nodes: readonly Node[];
  readonly cache: Cache;
  readonly table: ClaimTable;
  readonly links: HardLinks;
  readonly upload: Upload;
  readonly pool: WorkerPool;
  readonly crypto: ArchiveCrypto;
  readonly excluded: Excludes;
  /** When the run began, ms. */
  readonly now: number;
  readonly skip: (skip: Skip) => void;
  /** Asked only when something changed. */
  readonly chooseDissolved: () => Dissolve | null;
};

export class Round {
  private readonly given: RoundOptions;
  private controls: Controls | null = null;
  private assembler: Assembler | null = null;
  private plan: RoundPlan | null = null;

  constructor(given: RoundOptions) {
    this.given = given;
  }

  closePacks(): void {
    this.controls?.closePacks();
  }

  givePermit(): void {
    this.controls?.givePermit();
  }

  /** Lets go of workers that wait. */
  stop(): void {
    this.controls?.stop();
  }

  get read(): { files: number; bytes: number } {
    return this.controls?.progress ?? { files: 0, bytes: 0 };
  }

  get planned(): { items: number; bytes: number } {
    return { items: this.plan?.memory.items ?? 0, bytes: this.plan?.bytes ?? 0 };
  }

  get made(): number {
    return this.assembler?.made ?? 0;
  }

  partialRoot(): { tree: Uint8Array; totals: Totals } | null {
    return this.assembler?.partialRoot() ?? null;
  }

  /** Afterwards the first node has its tree. */
  async run(): Promise<void> {
    const { cache, table, upload, pool } = this.given;
    const { input, goneBefore } = this.markDirty();
    const plan = planRound(input);
    this.plan = plan;
    const known = new KnownFiles();
    const controls = Controls.create(plan.memory.jobs, Math.max(pool.size + PACKS_UNDER_WAY, FEWEST_PACKS));
    this.controls = controls;
    const assembler = this.makeAssembler(plan, known, goneBefore);
    this.assembler = assembler;
    if (plan.memory.jobs === 0) {
      for (let worker = 0; worker < pool.size; worker++) upload.addLoose(worker, null);
      return assembler.start();
    }
    const files = known.fill(cache, plan.memory.items, (record) => {
      const presence = new Presence(table, record);
      return (entry) => presence.has(entry) && !input.dissolve?.(record, entry);
    });
    const done = this.receive(assembler);
    this.startJobs(plan, controls, files);
    assembler.start();
    await done;
  }

  private markDirty(): { input: RoundInput; goneBefore: number } {
    const { nodes, cache, table, links, options, now } = this.given;
    const goneBefore = options.goneKeepMs == null ? 0 : now - options.goneKeepMs;
    const input: RoundInput = { nodes, cache, table, links, goneBefore, dissolve: null };
    markDirty(input);
    const dissolve = nodes.some(({ dirty }) => dirty) && !cache.isEmpty ? this.given.chooseDissolved() : null;
    if (dissolve === null) return { input, goneBefore };
    markDirty(input);
    return { input: { ...input, dissolve }, goneBefore };
  }

  private makeAssembler(plan: RoundPlan, known: KnownFiles, goneBefore: number): Assembler {
    const { nodes, cache, table, links, crypto, options, excluded, skip, now } = this.given;
    const trees = new TreeChunks(crypto, this.putTree(), options.cutLimits);
    return new Assembler({ cache, table, links, known, trees, excluded, skip, now, goneBefore }, nodes, plan);
  }

  private startJobs(plan: RoundPlan, controls: Controls, files: FileTable): void {
    const { pool, table } = this.given;
    const memories = { controls: controls.memory, claims: table.memory, files: files.memory };
    pool.broadcast({ kind: 'jobs', plan: plan.memory, ...memories });
  }

  /** Resolves when every worker is idle. */
  private receive(assembler: Assembler): Promise<void> {
    const { pool, upload } = this.given;
    return new Promise((resolve) => {
      let idle = 0;
      pool.listen((worker, message) => {
        if (message.kind === 'job') {
          assembler.take(message.job, asBuffer(message.report));
          upload.setBound(worker, message.bound);
        } else if (message.kind === 'pack') upload.addData(worker, message.pack, message.bound);
        else if (message.kind === 'idle') {
          upload.addLoose(worker, message.loose);
          idle++;
          if (idle === pool.size) resolve();
        }
      });
    });
  }

  /** Trees are opened again at once (ARCHIVE §4): what is wrong with one, all that is below it would suffer. */
  private putTree(): PutChunk {
    const { crypto, table, upload } = this.given;
    return (kind, links, body) => {
      const id = crypto.chunkId(kind, body, links);
      if (table.claim(id) < 0) return id;
      const frame = crypto.seal(kind, id, body, links);
      crypto.open(frame, { kind, id });
      upload.addTree(id, frame);
      return id;
    };
  }
}
