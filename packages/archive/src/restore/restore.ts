/**
 * Restore: brings what a root tree holds, or the selected paths of it, back to a directory.
 *
 * Nouns: the *walk* (walk.ts) yields directories and entries in order; a *window* (window.ts) collects which chunks the files
 * met need; the *reader* (session-reader.ts) fetches them pack by pack, opened in worker threads; the *writer* (tree-writer.ts)
 * puts all of it into a FileTarget, from this one thread.
 *
 * ```
 * for each item of the walk
 *   enter, leave, entry -> writer; a file that needs content -> its segments into the window
 *   the window is full, or the walk at its end:
 *     stream its chunks: each use of each chunk -> writer, as they come
 *     settle hard links (some may need content: repeat), then the directories left
 * ```
 * Memory is bounded by the window, not by the tree. A restore that was stopped is resumed by running it again: what is
 * right already is not even read. What cannot be had or written is listed and the rest goes on.
 */
import { mkdirSync } from 'node:fs';
import type { ArchiveEndpoint } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import { toHex } from '../format/ids.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import type { Segment, TreeEntry } from '../format/tree.ts';
import { createDiskTarget } from '../target/disk-target.ts';
import type { FileTarget } from '../target/file-target.ts';
import { ahead } from './ahead.ts';
import type { OpenedChunk } from './chunk-reader.ts';
import { createDecodePool, type DecodePool } from './decode-pool.ts';
import type { ExistingMode } from './existing.ts';
import { isContent, transferable } from './open-frame.ts';
import type { PathLike } from './path.ts';
import { type Counts, Report, type RestoreEvent, type RestoreResult } from './report.ts';
import { segmentsOf } from './segments.ts';
import { createSessionReader, type Lending, type SessionReader, type Write } from './session-reader.ts';
import { type FileJob, runsPast, TreeWriter } from './tree-writer.ts';
import { pathOf, type WalkItem, walkTree } from './walk.ts';
import { type Use, Window } from './window.ts';

export type { ExistingMode } from './existing.ts';
export type { Counts, Damaged, Renamed, RestoreEvent, RestoreResult, Skipped, SkipReason } from './report.ts';

export type RestoreOptions = {
  readonly endpoint: Pick<ArchiveEndpoint, 'openSession'>;
  readonly keys: ArchiveKeys;
  /** Id of the tree: a snapshot's root, or of a directory in it (`lookup(...).tree`). */
  readonly root: Uint8Array;
  /** Paths below the root; without it everything. They keep their place: `a/b` becomes `DIR/a/b`. */
  readonly select?: readonly PathLike[];
  /**
   * A directory (made when missing), or where everything came from; then `select` should name the paths of the backup set, so that the directories above
   * them are only passed through. Windows: one drive at a time, its tree as root and `{ dir: 'C:\\' }`.
   */
  readonly target: { readonly dir: Buffer | string } | 'original' | FileTarget;
  readonly existing?: ExistingMode;
  /** Deleted entries too. One whose name a live one has gets the time of its deletion into its own. */
  readonly includeGone?: boolean;
  /** Only says what would be done if nothing of it were there yet; writes nothing, and needs no target. */
  readonly dryRun?: boolean;
  /** Threads that open chunks. */
  readonly workers?: number;
  /** Totals for the progress, from the snapshot's description; else they grow with the walk. */
  readonly expected?: Partial<Counts>;
  /** ms */
  readonly now?: () => number;
  readonly onEvent?: (event: RestoreEvent) => void;
  readonly signal?: AbortSignal;
};

/** Rejects when nothing more can be done (aborted, target full, archive out of reach): run it again to go on. */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  const pool = createDecodePool(options.keys, options.workers);
  const reader = createSessionReader({ endpoint: options.endpoint, opener: pool });
  const report = new Report({ ...options, now: options.now ?? Date.now });
  try {
    return await (options.dryRun ? planInto(options, reader, report) : writeInto(options, reader, report, pool));
  } finally {
    await Promise.allSettled([reader.close(), pool.close()]); // the outcome is decided; a session left open ends by itself
  }
}

async function writeInto(
  options: RestoreOptions,
  reader: SessionReader,
  report: Report,
  pool: DecodePool,
): Promise<RestoreResult> {
  const target = openTarget(options.target);
  try {
    await new Filling(options, reader, report, writing(options, reader, report, target)).run();
  } finally {
    await pool.close(); // its threads may be writing to files that closing would discard
    if (target !== options.target) target.close();
  }
  return report.result('restored', reader.stats());
}

async function planInto(options: RestoreOptions, reader: SessionReader, report: Report): Promise<RestoreResult> {
  const { output, plan } = planning(options, reader, report);
  await new Filling(options, reader, report, output).run();
  return report.result('planned', plan);
}

function openTarget(target: RestoreOptions['target']): FileTarget {
  if (target !== 'original' && 'root' in target) return target;
  const dir = target === 'original' ? originalRoot() : target.dir;
  try {
    mkdirSync(dir, { recursive: true });
    return createDiskTarget(dir);
  } catch (cause) {
    throw new ArchiveError('target_unusable', { detail: String(dir) }, { cause });
  }
}

function originalRoot(): string {
  if (process.platform !== 'win32') return '/';
  throw new ArchiveError('target_unusable', { detail: 'several drives; restore each to its own' });
}

/** Items of the walk that are read while content is still coming. */
const WALK_AHEAD = 8_192;

/** What is done with the items of the walk. `F` is a file that needs content. */
type Output<F> = {
  enter(item: Extract<WalkItem, { kind: 'enter' }>): void;
  leave(): void;
  entry(item: Extract<WalkItem, { kind: 'entry' }>): F | null;
  /** The segments of a file could not be read. */
  fail(file: F, error: ArchiveError): void;
  /** Fetches what the window asks for; answers files that turn out to need content after all. */
  flush(window: Window<F>): Promise<F[]>;
};

type FileOf = { readonly entry: TreeEntry };

class Filling<F extends FileOf> {
  private readonly options: RestoreOptions;
  private readonly reader: SessionReader;
  private readonly report: Report;
  private readonly output: Output<F>;
  private window = new Window<F>();

  constructor(options: RestoreOptions, reader: SessionReader, report: Report, output: Output<F>) {
    this.options = options;
    this.reader = reader;
    this.report = report;
    this.output = output;
  }

  async run(): Promise<void> {
    const { root, signal } = this.options;
    for await (const item of ahead(walkTree(this.reader, root, this.options), WALK_AHEAD)) {
      signal?.throwIfAborted();
      const file = this.take(item);
      if (file !== null) await this.want(file);
    }
    await this.flush();
    this.report.progress(this.reader.stats().bytesRead, true);
  }

  private take(item: WalkItem): F | null {
    const { report, output } = this;
    switch (item.kind) {
      case 'enter':
        if (!item.directory.above) report.met.directories++;
        output.enter(item);
        return null;
      case 'leave':
        output.leave();
        return null;
      case 'entry':
        if (item.entry.type === 'file') report.met.files++;
        else report.met.others++;
        report.met.bytes += item.entry.size ?? 0;
        report.progress(this.reader.stats().bytesRead);
        return output.entry(item);
      case 'damaged':
        report.damage(pathOf(item.directory), item.error.code, item.id);
        return null;
      case 'missing':
        report.skip(item.path, 'not_in_snapshot');
        return null;
      default:
        return item satisfies never;
    }
  }

  /** Puts what a file needs into the window, which may be emptied in between: a file may need more than fits. */
  private async want(file: F): Promise<void> {
    for await (const run of segmentsOf(this.reader, file.entry, {}, this.options.signal)) {
      if (run.kind === 'damaged') {
        this.output.fail(file, run.error);
        return;
      }
      let at = run.position;
      for (const segment of run.segments) {
        this.window.add(file, at, segment);
        at += segment.length;
      }
      if (this.window.full) await this.flush();
    }
  }

  private async flush(): Promise<void> {
    for (let files: F[] | null = null; files === null || files.length > 0; ) {
      for (const file of files ?? []) await this.want(file);
      const { window } = this;
      this.window = new Window();
      files = await this.output.flush(window);
    }
  }
}

function writing(options: RestoreOptions, reader: SessionReader, report: Report, target: FileTarget): Output<FileJob> {
  const { existing = 'rename', now = Date.now, signal } = options;
  const writer = new TreeWriter({ target, report, existing, now, followAbove: options.target === 'original' });
  return {
    enter: (item) => writer.enter(item),
    leave: () => writer.leave(),
    entry: (item) => writer.entry(item),
    fail: (job, error) => writer.fail(job, error),
    flush: async (window) => {
      const deliver = (chunk: number, answer: OpenedChunk | ArchiveError): void => {
        for (const use of window.take(chunk)) put(writer, use, answer);
        if (!(answer instanceof ArchiveError)) for (const buffer of transferable(answer.plaintext)) buffer.transfer(0);
        report.progress(reader.stats().bytesRead);
      };
      const lending = lendingOf(window, writer, () => report.progress(reader.stats().bytesRead));
      await reader.stream(window.ids, deliver, signal, lending);
      const files = writer.settleLinks();
      if (files.length === 0) writer.settleDirectories();
      return files;
    },
  };
}

/** Shorter segments are not worth a descriptor lent and given back. */
const WORTH_LENDING = 65_536;

/** Chunks that only large segments need are written by the threads that open them. */
function lendingOf(window: Window<FileJob>, writer: TreeWriter, onDone: () => void): Lending {
  const lent = new Map<number, { readonly use: Use<FileJob>; readonly writes: number }[]>();
  return {
    lend: (chunk) => {
      const uses = window.usesOf(chunk);
      if (uses.some(({ segment }) => segment.length < WORTH_LENDING)) return null;
      const writes: Write[] = [];
      const given = uses.flatMap((use) => {
        const own = writer.lend(use.file, use.position, use.segment);
        if (own === null) return [];
        writes.push(...own);
        return [{ use, writes: own.length }];
      });
      if (given.length > 0) lent.set(chunk, given);
      return given.length > 0 ? writes : null;
    },
    giveBack: (chunk, written) => {
      let at = 0;
      for (const { use, writes } of lent.get(chunk) ?? []) {
        const results = written === null ? null : written.slice(at, at + writes);
        writer.giveBack(use.file, use.position, use.segment, results);
        at += writes;
      }
      lent.delete(chunk);
      if (written !== null) window.take(chunk);
      onDone();
    },
  };
}

/** One stretch of one file, out of a chunk that came. */
function put(writer: TreeWriter, { file, position, segment }: Use<FileJob>, answer: OpenedChunk | ArchiveError): void {
  const piece = pieceOf(answer, segment);
  if (piece instanceof ArchiveError) writer.fail(file, piece);
  else writer.write(file, position, piece);
}

function pieceOf(answer: OpenedChunk | ArchiveError, { offset, length, id }: Segment): Uint8Array | ArchiveError {
  if (answer instanceof ArchiveError) return answer;
  const { kind, plaintext } = answer;
  if (!isContent(kind))
    return new ArchiveError('chunk_unexpected', { id, detail: `kind ${kind} in the place of a file's content` });
  if (offset + length > plaintext.length) return runsPast(id);
  return plaintext.subarray(offset, offset + length);
}

/** Where a dry run puts things: nowhere. */
function planning(options: RestoreOptions, reader: SessionReader, report: Report) {
  const packs = new Set<string>();
  const plan = { packs: 0, reads: 0, bytesRead: 0 };
  const output: Output<PlannedFile> = {
    enter: () => {},
    leave: () => {},
    entry: ({ directory, entry }) => (entry.type === 'file' ? { entry, path: pathOf(directory, entry) } : null),
    fail: ({ path }, error) => report.damage(path, error.code, error.data.id ?? null),
    flush: async (window) => {
      const { reads, missing } = await reader.plan(window.ids, options.signal);
      for (const chunk of missing)
        for (const { file } of window.take(chunk)) report.damage(file.path, 'chunk_missing', window.ids[chunk] ?? null);
      for (const { packId, length } of reads) {
        packs.add(toHex(packId));
        plan.bytesRead += length;
      }
      plan.reads += reads.length;
      plan.packs = packs.size;
      return [];
    },
  };
  return { output, plan };
}

type PlannedFile = { readonly entry: TreeEntry; readonly path: Uint8Array };
