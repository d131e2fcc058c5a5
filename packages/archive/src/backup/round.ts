/** One round of a run: plan, read, make trees. */
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import type { Excludes } from '../source/exclude.ts';
import { Assembler } from './assembler.ts';
import { asBuffer } from './byte-writer.ts';
import type { Cache } from './cache.ts';
import type { ClaimTable } from './claim-table.ts';
import type { HardLinks } from './hard-links.ts';
import { KnownFiles, Presence } from './known-files.ts';
import type { FromWorker } from './messages.ts';
import type { Node } from './node.ts';
import type { BackupOptions } from './options.ts';
import { markDirty, planRound, type RoundInput } from './plan.ts';
import type { WorkerPool } from './pool.ts';
import { Controls } from './shared.ts';
import { type PutChunk, TreeChunks } from './tree-chunks.ts';
import type { Upload } from './upload.ts';
import type { Skip } from './walk.ts';

/** Full packs that may wait or be sent while the workers fill others; 16 MiB each. */
const PACKS_UNDER_WAY = 2;

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
};

export class Round {
  private readonly given: RoundOptions;
  private controls: Controls | null = null;
  private assembler: Assembler | null = null;

  constructor(given: RoundOptions) {
    this.given = given;
  }

  closePacks(): void {
    this.controls?.closePacks();
  }

  givePermit(): void {
    this.controls?.givePermit();
  }

  get read(): { files: number; bytes: number } {
    return this.controls?.progress ?? { files: 0, bytes: 0 };
  }

  get made(): number {
    return this.assembler?.made ?? 0;
  }

  /** Afterwards the first node has its tree. */
  async run(): Promise<void> {
    const { nodes, cache, table, links, options, now, upload, pool } = this.given;
    const goneBefore = options.goneKeepMs == null ? 0 : now - options.goneKeepMs;
    const input: RoundInput = { nodes, cache, table, links, goneBefore, dissolve: null };
    markDirty(input);
    const plan = planRound(input);
    const known = new KnownFiles();
    const controls = Controls.create(plan.memory.jobs, pool.size + PACKS_UNDER_WAY);
    this.controls = controls;
    const assembler = new Assembler(
      {
        cache,
        table,
        links,
        known,
        trees: new TreeChunks(this.given.crypto, this.putTree(), options.cutLimits),
        excluded: this.given.excluded,
        skip: this.given.skip,
        now,
        goneBefore,
      },
      nodes,
      plan,
    );
    this.assembler = assembler;
    if (plan.memory.jobs === 0) {
      for (let worker = 0; worker < pool.size; worker++) upload.addLoose(worker, null);
      assembler.start();
      return;
    }
    const files = known.fill(cache, plan.memory.items, (record, entry) => new Presence(table, record).has(entry));
    const done = this.receive(assembler);
    pool.broadcast({
      kind: 'jobs',
      plan: plan.memory,
      controls: controls.memory,
      claims: table.memory,
      files: files.memory,
      share: options.limits?.cpu ?? 1,
    });
    assembler.start();
    await done;
  }

  /** Resolves when every worker is idle. */
  private receive(assembler: Assembler): Promise<void> {
    const { pool, upload } = this.given;
    return new Promise((resolve) => {
      let idle = 0;
      pool.listen((worker, message: FromWorker) => {
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
