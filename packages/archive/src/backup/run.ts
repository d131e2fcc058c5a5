/** One backup under way: see backup.ts for its course. */
import { availableParallelism } from 'node:os';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import { equalBytes } from '../format/ids.ts';
import { compileExclusions } from '../source/exclude.ts';
import { createSource } from '../source/node-source.ts';
import { normalizeRoots } from '../source/paths.ts';
import { ROW_LENGTH, rowSize, rowType, TYPE } from '../source/rows.ts';
import type { SourceOptions } from '../source/source.ts';
import { Cache } from './cache.ts';
import { findParent, type Link } from './chain.ts';
import { ClaimTable } from './claim-table.ts';
import { Destination } from './destination.ts';
import { FingerprintTable } from './fingerprint-table.ts';
import { HardLinks } from './hard-links.ts';
import type { Node } from './node.ts';
import type { BackupEvent, BackupOptions, BackupResult, BackupStats } from './options.ts';
import { WorkerPool } from './pool.ts';
import { Round } from './round.ts';
import { makeSnapshot } from './snapshot.ts';
import { Upload } from './upload.ts';
import { aborted, type Skip, type Walk, walkAll } from './walk.ts';

/** The destination may say so often that it lacks something (ARCHIVE §5.1). */
const MAX_ROUNDS = 3;

export class Run {
  private readonly options: BackupOptions;
  private readonly roots: Buffer[];
  private readonly stop = new AbortController();
  private readonly signal: AbortSignal;
  private readonly started: number;
  private readonly crypto: ArchiveCrypto;
  private readonly sourceOptions: SourceOptions;
  private readonly cache: Cache;
  private readonly destination: Destination;
  private readonly pool: WorkerPool;
  private readonly skips = new Map<string, Skip>();

  constructor(options: BackupOptions) {
    this.options = options;
    this.roots = normalizeRoots(options.roots);
    this.signal = options.signal ? AbortSignal.any([options.signal, this.stop.signal]) : this.stop.signal;
    this.started = options.now();
    this.crypto = createArchiveCrypto(options.keys);
    this.sourceOptions = sourceOptionsOf(options);
    const { archiveId } = options.keys;
    const { destinationId, setId, deviceId, cacheDir } = options;
    this.cache = Cache.open(cacheDir, [archiveId, destinationId, setId, deviceId]);
    this.destination = new Destination({
      endpoint: options.endpoint,
      cacheDir,
      owner: [archiveId, destinationId],
      signal: this.signal,
      onEvent: (event) => this.emit(event),
    });
    this.pool = new WorkerPool(options.workers ?? availableParallelism(), {
      keys: options.keys,
      sourceModule: options.source ?? null,
      sourceOptions: this.sourceOptions,
      fingerprints: this.fingerprints().memory,
    });
  }

  async execute(): Promise<BackupResult> {
    const work = this.work();
    return Promise.race([work, this.pool.failure, aborted(this.signal)]);
  }

  async close(): Promise<void> {
    this.stop.abort(new Error('The run is over.'));
    await this.pool.close();
    this.cache.close();
    await this.destination.close();
  }

  private async work(): Promise<BackupResult> {
    const [parent, walk] = await Promise.all([this.findParent(), this.walk()]);
    const table = this.tableFor(walk);
    const links = new HardLinks(this.cache);
    let failed: (error: unknown) => void = () => {};
    const failure = new Promise<never>((_resolve, reject) => {
      failed = reject;
    });
    failure.catch(() => {});
    const upload: Upload = new Upload({
      destination: this.destination,
      table,
      archiveId: this.options.keys.archiveId,
      workers: this.pool.size,
      onEvent: (event) => this.emit(event),
      closePacks: () => round?.closePacks(),
      givePermit: () => round?.givePermit(),
      fail: failed,
    });
    let round: Round | null = null;
    const stats = { filesRead: 0, bytesRead: 0, directoriesMade: 0 };
    for (let number = 1; ; number++) {
      round = new Round({
        options: this.options,
        nodes: walk.nodes,
        cache: this.cache,
        table,
        links,
        upload,
        pool: this.pool,
        crypto: this.crypto,
        excluded: compileExclusions(this.sourceOptions.exclude),
        now: this.started,
        skip: (skip) => this.skip(skip),
      });
      await Promise.race([round.run(), failure]);
      stats.filesRead += round.read.files;
      stats.bytesRead += round.read.bytes;
      stats.directoriesMade += round.made;
      const result = await Promise.race([this.commit(walk, parent, upload), failure]);
      if (result) {
        const totals = (walk.nodes[0] as Node).totals;
        const { bytesStored, packs } = upload;
        return this.finished(result, {
          ...stats,
          totals,
          bytesStored,
          packs,
          skipped: this.skips.size,
          rounds: number,
        });
      }
      await this.repair(upload, table, number);
    }
  }

  private finished(result: Outcome, stats: BackupStats): BackupResult {
    return { ...result, stats } as BackupResult;
  }

  /** The destination lacked something: it is stored again in another round. */
  private async repair(upload: Upload, table: ClaimTable, round: number): Promise<void> {
    const missing = upload.refused ?? [];
    this.emit({ kind: 'missing', ids: missing.length, round });
    if (round === MAX_ROUNDS) throw new ArchiveError('links_missing', { ids: missing });
    for (const id of await upload.abandonTrees()) table.drop(id);
    for (const id of missing) table.drop(id);
    upload.begin();
  }

  private async commit(walk: Walk, parent: Link | null, upload: Upload): Promise<Outcome | null> {
    const root = walk.nodes[0] as Node;
    const tree = root.tree as Uint8Array;
    if (parent?.stored && !parent.envelope.partial && equalBytes(parent.envelope.root, tree)) {
      this.remember(walk, parent.object);
      return { kind: 'current', at: this.started, snapshotId: parent.id };
    }
    const snapshot = await makeSnapshot({
      options: this.options,
      roots: this.roots,
      crypto: this.crypto,
      root: tree,
      parent,
      totals: root.totals,
      skipped: [...this.skips.values()],
      started: this.started,
      partial: false,
    });
    const committed = await upload.finish(snapshot.object);
    if (committed === null) return null;
    this.remember(walk, snapshot.object);
    const { id, envelope } = snapshot;
    return { kind: 'committed', snapshotId: id, sequence: envelope.sequence, receipt: committed.receipt };
  }

  private remember(walk: Walk, object: Uint8Array): void {
    if (walk.full) this.cache.retain(new Set(walk.nodes.map((node) => node.cacheRow)));
    this.cache.note = Buffer.from(object);
    this.cache.commit();
    this.destination.save();
  }

  private async findParent(): Promise<Link | null> {
    await this.destination.open();
    const { options } = this;
    const { deviceId, setId, destinationId } = options;
    const stored = await this.destination.patiently(() => options.endpoint.snapshots(this.signal));
    return findParent({
      archiveId: options.keys.archiveId,
      deviceId,
      setId,
      destinationId,
      stored,
      cached: this.cache.note.length > 0 ? this.cache.note : null,
      crypto: this.crypto,
      sign: options.sign,
      onProblem: (problem, snapshotId) => this.emit({ kind: 'chain', problem, snapshotId }),
    });
  }

  private async walk(): Promise<Walk> {
    const source = createSource(this.sourceOptions);
    const walk = await walkAll({ roots: this.roots, cache: this.cache, source, pool: this.pool, signal: this.signal });
    source.close();
    for (const skip of walk.skipped) this.skip(skip);
    this.emit({ kind: 'walked', ...sizeOf(walk), full: walk.full });
    return walk;
  }

  private tableFor(walk: Walk): ClaimTable {
    const { prefixes } = this.destination;
    const { min } = this.options.keys.bundleParams;
    const { bytes } = sizeOf(walk);
    const table = ClaimTable.forIds(
      prefixes.length / 16 + walk.nodes.length * 2 + Math.ceil(bytes / Math.max(min, 1024)),
    );
    for (let at = 0; at < prefixes.length; at += 16) table.addKnown(prefixes, at);
    this.destination.watch(table);
    return table;
  }

  private fingerprints(): FingerprintTable {
    const table = FingerprintTable.forDirectories(this.cache.size);
    for (const row of this.cache.all()) table.add(this.cache.pathHash(row), this.cache.fingerprint(row));
    return table;
  }

  private skip(skip: Skip): void {
    const key = skip.path.toString('latin1');
    if (this.skips.has(key)) return;
    this.skips.set(key, skip);
    this.emit({ kind: 'skipped', ...skip });
  }

  private emit(event: BackupEvent): void {
    this.options.onEvent?.(event);
  }
}

type Outcome =
  | { kind: 'committed'; snapshotId: Uint8Array; sequence: number; receipt: Uint8Array | null }
  | { kind: 'current'; at: number; snapshotId: Uint8Array };

function sourceOptionsOf(options: BackupOptions): SourceOptions {
  const { exclude = {}, cacheDir, oneFileSystem = false } = options;
  const own = cacheDir === null ? [] : normalizeRoots([Buffer.from(cacheDir)]);
  return { exclude: { ...exclude, paths: [...(exclude.paths ?? []), ...own] }, oneFileSystem };
}

/** What changed directories hold. */
function sizeOf(walk: Walk): { files: number; directories: number; bytes: number } {
  let files = 0;
  let bytes = 0;
  for (const { listing } of walk.nodes) {
    if (listing === null) continue;
    for (let i = 0; i < listing.count; i++) {
      if (rowType(listing.rows, i * ROW_LENGTH) !== TYPE.file) continue;
      files++;
      bytes += rowSize(listing.rows, i * ROW_LENGTH);
    }
  }
  return { files, directories: walk.nodes.length, bytes };
}
