/** One backup under way: see backup.ts for its course. */
import { availableParallelism } from 'node:os';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import { equalBytes } from '../format/ids.ts';
import { compileExclusions } from '../source/exclude.ts';
import { createSource } from '../source/node-source.ts';
import { normalizeRoots } from '../source/paths.ts';
import type { SourceOptions } from '../source/source.ts';
import { askFor, askForCached } from './ask.ts';
import { Cache, CacheDamaged } from './cache.ts';
import { findParent, type Link } from './chain.ts';
import { ClaimTable } from './claim-table.ts';
import { idsIn } from './content.ts';
import { Destination } from './destination.ts';
import { chooseDissolved } from './dissolve.ts';
import { FingerprintTable } from './fingerprint-table.ts';
import { findHeirs, handDown } from './hand-down.ts';
import { HardLinks } from './hard-links.ts';
import { walkHinted } from './hinted.ts';
import { NEW_WORKERS, type Workers } from './kept-workers.ts';
import type { Node } from './node.ts';
import type { BackupEvent, BackupOptions, BackupResult, BackupStats } from './options.ts';
import { CpuShare } from './pacing.ts';
import { PartialCommits } from './partial.ts';
import type { WorkerPool } from './pool.ts';
import { Progress } from './progress.ts';
import { recoverCache } from './recover.ts';
import { Round } from './round.ts';
import { losesNothing, type Skip } from './skip.ts';
import { makeSnapshot } from './snapshot.ts';
import { StoredDirectories } from './stored-directories.ts';
import { Upload } from './upload.ts';
import { aborted, sizeOf, type Walk, type WalkInput, walkAll } from './walk.ts';

/** The destination may say so often that it lacks something (ARCHIVE §5.1). */
const MAX_ROUNDS = 3;

/** How soon a changed share is noticed. */
const SHARE_EVERY_MS = 500;

function cpuOf({ limits }: BackupOptions): number {
  const cpu = limits?.cpu ?? 1;
  return typeof cpu === 'number' ? cpu : cpu();
}

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
  private readonly threads: Workers;
  private readonly pool: WorkerPool;
  private readonly skips = new Map<string, Skip>();
  private readonly progress: Progress;
  private readonly share = new CpuShare();
  private readonly fingerprints: FingerprintTable;
  private readonly sharing: NodeJS.Timeout;
  private round: Round | null = null;
  /** Rows that the last snapshot filled in: nobody watched since, and they equal none that a walk finds. */
  private recovered = false;
  /** The snapshot that the next one follows. */
  private parent: Link | null = null;

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
      patienceMs: options.patienceMs,
      signal: this.signal,
      onEvent: (event) => this.emit(event),
    });
    this.progress = new Progress((event) => this.emit(event));
    this.share.set(cpuOf(options));
    this.fingerprints = fingerprintsOf(this.cache);
    this.threads = options.threads ?? NEW_WORKERS;
    this.pool = this.threads.take(options.workers ?? availableParallelism(), options.source ?? null);
    this.pool.begin({
      keys: options.keys,
      sourceOptions: this.sourceOptions,
      fingerprints: this.fingerprints.memory,
      share: this.share.memory,
    });
    this.sharing = setInterval(() => this.share.set(cpuOf(options)), SHARE_EVERY_MS);
  }

  async execute(): Promise<BackupResult> {
    if (this.cache.wasDamaged) this.emit({ kind: 'cache', problem: 'damaged', detail: 'read again from the start' });
    try {
      return await Promise.race([this.work(), this.pool.failure, aborted(this.signal)]);
    } catch (error) {
      if (error instanceof CacheDamaged) this.cache.discard();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.stop.abort(new Error('The run is over.'));
    this.round?.stop();
    this.progress.close();
    clearInterval(this.sharing);
    await this.threads.giveBack(this.pool);
    this.cache.close();
    await this.destination.close();
  }

  private async work(): Promise<BackupResult> {
    const walk = await this.begin();
    this.signal.throwIfAborted();
    const table = await this.tableFor(walk);
    await this.handDown(walk, table);
    const failure = Promise.withResolvers<never>();
    failure.promise.catch(() => {}); // whoever waits below races with it
    const upload: Upload = this.uploadTo(table, failure.reject, () => partial.check());
    const partial: PartialCommits = this.partialCommits(upload, failure.reject);
    const links = new HardLinks(this.cache);
    const stats = { entriesRead: 0, bytesRead: 0, directoriesMade: 0 };
    for (let number = 1; ; number++) {
      const round = this.roundOf(walk, table, upload, links, number === 1 && walk.full && !this.recovered);
      this.round = round;
      this.progress.follow(round, upload);
      partial.follow(round);
      await Promise.race([round.run(), failure.promise]);
      await Promise.race([partial.settle(), failure.promise]);
      stats.entriesRead += round.read.files;
      stats.bytesRead += round.read.bytes;
      stats.directoriesMade += round.made;
      const outcome = await Promise.race([this.commit(walk, upload), failure.promise]);
      if (outcome) {
        this.progress.last();
        return { ...outcome, stats: this.stats(walk, upload, { ...stats, rounds: number }) } as BackupResult;
      }
      await this.repair(upload, table, number);
    }
  }

  /** Asks the destination and walks, at the same time while the cache is of the last snapshot. */
  private async begin(): Promise<Walk> {
    if (this.cache.isEmpty) {
      this.parent = await this.findParent();
      if (this.parent) await this.recover(this.parent, 'recovered');
      return this.tell(await this.walk());
    }
    const [parent, walk] = await Promise.all([this.findParent(), this.walk()]);
    this.parent = parent;
    if (parent === null || this.cache.note?.equals(parent.object)) return this.tell(walk);
    await this.recover(parent, 'behind');
    return this.tell(await this.walk());
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

  private async commit(walk: Walk, upload: Upload): Promise<Outcome | null> {
    const { parent } = this;
    const root = walk.nodes[0] as Node;
    const tree = root.tree as Uint8Array;
    if (parent?.stored && !parent.envelope.partial && equalBytes(parent.envelope.root, tree)) {
      // What the destination had lost is sent all the same.
      if (!(await upload.sendRest())) return null;
      this.remember(walk, parent.object);
      return { kind: 'current', at: this.started, snapshotId: parent.id };
    }
    const snapshot = await this.snapshot(tree, root, false);
    const committed = await upload.finish(snapshot.object);
    if (committed === null) return null;
    this.remember(walk, snapshot.object);
    const { id, envelope } = snapshot;
    return { kind: 'committed', snapshotId: id, sequence: envelope.sequence, receipt: committed.receipt };
  }

  private snapshot(tree: Uint8Array, { totals }: Pick<Node, 'totals'>, partial: boolean) {
    return makeSnapshot({
      options: this.options,
      roots: this.roots,
      crypto: this.crypto,
      root: tree,
      parent: this.parent,
      totals,
      skipped: [...this.skips.values()],
      started: this.started,
      partial,
    });
  }

  private remember(walk: Walk, object: Uint8Array): void {
    if (walk.full) this.cache.retain(new Set(walk.nodes.map((node) => node.cacheRow)));
    this.cache.setNote(object);
    this.cache.commit();
    this.destination.save();
  }

  private partialCommits(upload: Upload, fail: (error: unknown) => void): PartialCommits {
    return new PartialCommits({
      limits: this.options.partial ?? {},
      now: this.options.now,
      fail,
      upload,
      destination: this.destination,
      seal: (root, totals) => this.snapshot(root, { totals }, true),
      committed: ({ id, envelope, object }) => {
        this.parent = { id, envelope, object, stored: true };
        this.cache.setNote(object);
        this.cache.commit();
        this.emit({ kind: 'partial', snapshotId: id, sequence: envelope.sequence });
      },
    });
  }

  private roundOf(walk: Walk, table: ClaimTable, upload: Upload, links: HardLinks, mayDissolve: boolean): Round {
    return new Round({
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
      chooseDissolved: mayDissolve ? () => chooseDissolved(walk.nodes, this.cache) : () => null,
    });
  }

  private uploadTo(table: ClaimTable, fail: (error: unknown) => void, onPack: () => void): Upload {
    return new Upload({
      destination: this.destination,
      table,
      archiveId: this.options.keys.archiveId,
      workers: this.pool.size,
      onPack: (bytes, result) => {
        this.emit({ kind: 'pack', bytes, result });
        onPack();
      },
      closePacks: () => this.round?.closePacks(),
      givePermit: (worker, memory) => {
        if (memory) this.pool.send(worker, { kind: 'memory', memory }, [memory]);
        this.round?.givePermit();
      },
      fail,
    });
  }

  private async findParent(): Promise<Link | null> {
    await this.destination.open();
    const { options } = this;
    const { deviceId, setId, destinationId } = options;
    const stored = await this.destination.patiently(() => options.endpoint.snapshots(this.signal));
    const parent = await findParent({
      archiveId: options.keys.archiveId,
      deviceId,
      setId,
      destinationId,
      stored,
      cached: this.cache.note,
      crypto: this.crypto,
      sign: options.sign,
      onProblem: (problem, snapshotId) => this.emit({ kind: 'chain', problem, snapshotId }),
    });
    return parent && !parent.stored ? this.offerAgain(parent) : parent;
  }

  /** A snapshot that the destination lost. If it lost what belongs to it too, it only stays a link of the chain. */
  private async offerAgain(parent: Link): Promise<Link> {
    try {
      await this.destination.commit(parent.object);
      return { ...parent, stored: true };
    } catch (error) {
      if (error instanceof ArchiveError && error.code === 'links_missing') return parent;
      throw error;
    }
  }

  private async recover(parent: Link, problem: 'recovered' | 'behind'): Promise<void> {
    this.recovered = true;
    const { cache, fingerprints, crypto, signal } = this;
    const found = await recoverCache(cache, parent.envelope.root, this.options.endpoint, crypto, signal);
    for (const row of cache.all()) fingerprints.replace(cache.pathHash(row), cache.fingerprint(row));
    const detail = `${found.directories} directories, ${found.missing} chunks missing`;
    this.emit({ kind: 'cache', problem, detail });
  }

  private async walk(): Promise<Walk> {
    const source = createSource(this.sourceOptions);
    const { roots, cache, pool, signal } = this;
    const input: WalkInput = { roots, cache, source, pool, signal };
    const { hint } = this.options;
    const hinted = hint && !this.recovered && !cache.isEmpty ? await walkHinted(input, hint.changedDirectories) : null;
    const walk = hinted ?? (await walkAll(input));
    source.close();
    return walk;
  }

  private tell(walk: Walk): Walk {
    for (const skip of walk.skipped) this.skip(skip);
    this.emit({ kind: 'walked', ...sizeOf(walk), full: walk.full });
    return walk;
  }

  /** Deleted content of directories that are there again. */
  private async handDown({ nodes }: Walk, table: ClaimTable): Promise<void> {
    const { goneKeepMs, endpoint } = this.options;
    const goneBefore = goneKeepMs == null ? 0 : this.started - goneKeepMs;
    const heirs = findHeirs(nodes, this.cache, goneBefore);
    if (heirs.length === 0) return;
    const stored = new StoredDirectories(endpoint, this.crypto, this.signal);
    try {
      await this.destination.patiently(() => handDown(heirs, stored, goneBefore));
    } finally {
      await stored.close();
    }
    if (!this.destination.mustAsk) return;
    const ids = nodes.flatMap(({ handedDown }) => handedDown.flatMap(({ content }) => idsIn(content)));
    await askFor(this.destination, ids, table);
  }

  private async tableFor(walk: Walk): Promise<ClaimTable> {
    const { prefixes } = this.destination;
    const { min } = this.options.keys.bundleParams;
    const { bytes } = sizeOf(walk);
    const expected = walk.nodes.length * 2 + Math.ceil(bytes / Math.max(min, SMALLEST_CHUNK));
    const cached = this.destination.mustAsk ? this.cache.recordBytes / 32 : 0;
    const table = ClaimTable.forIds(prefixes.length / 16 + cached + expected);
    for (let at = 0; at < prefixes.length; at += 16) table.addKnown(prefixes, at);
    this.destination.watch(table);
    if (this.destination.mustAsk) await askForCached(this.destination, this.cache, table);
    return table;
  }

  private stats(
    walk: Walk,
    { bytesStored, packs }: Upload,
    counted: Pick<BackupStats, 'entriesRead' | 'bytesRead' | 'directoriesMade' | 'rounds'>,
  ): BackupStats {
    const { totals } = walk.nodes[0] as Node;
    const unread = [...this.skips.values()].filter((skip) => !losesNothing(skip)).length;
    return { ...counted, totals, bytesStored, packs, skipped: this.skips.size, unread };
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

/** For estimating the number of chunks when parameters are tiny. */
const SMALLEST_CHUNK = 1024;

type Outcome =
  | { kind: 'committed'; snapshotId: Uint8Array; sequence: number; receipt: Uint8Array | null }
  | { kind: 'current'; at: number; snapshotId: Uint8Array };

function fingerprintsOf(cache: Cache): FingerprintTable {
  const table = FingerprintTable.forDirectories(cache.size);
  for (const row of cache.all()) table.add(cache.pathHash(row), cache.fingerprint(row));
  return table;
}

function sourceOptionsOf(options: BackupOptions): SourceOptions {
  const { exclude = {}, cacheDir, oneFileSystem = false } = options;
  const own = cacheDir === null ? [] : normalizeRoots([Buffer.from(cacheDir)]);
  return { exclude: { ...exclude, paths: [...(exclude.paths ?? []), ...own] }, oneFileSystem };
}
