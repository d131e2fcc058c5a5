/**
 * One worker's loop over the jobs of a round (format §3.4).
 *
 * ```
 * while a job is left:
 *   read all items of the job, give small files their ids
 *   wait until all jobs below have decided
 *   decide which small files are new, pass the turn on
 *   in parallel from here: join the new ones, cut, name, compress, seal, append
 *   report
 * ```
 * A file of 128 KiB or more is cut as it is read and has nothing to decide: equal content gives equal chunks.
 */
import { release } from '../crypto-node/release.ts';
import { KIND } from '../format/kinds.ts';
import { type Segment, SMALL_FILE } from '../format/tree.ts';
import { TYPE } from '../source/rows.ts';
import { contentOf } from './content.ts';
import { type ItemReport, JobReportWriter } from './job-report.ts';
import type { JobTools } from './job-tools.ts';
import { LargeFile, type Tiny } from './large-file.ts';
import { extentsWithin, failure, leaveHolesOut, type Metadata, readUpTo, readXattrs, settled } from './reading.ts';
import { type Item, JOB } from './shared.ts';

/** Bytes of a batch as the walk saw them; a file may have grown since. */
export const BATCH_BYTES: number = 8 * 1024 * 1024;

/** A small file whose content lies in the batch buffer. */
type Small = Metadata & {
  readonly start: number;
  readonly length: number;
  readonly fileId: Uint8Array | null;
  /** Of the file table: -1 for content that nobody has. */
  known: number;
  segments: Segment[];
};

type Read = Small | { readonly report: ItemReport } | { readonly large: Item };

export class JobRunner {
  private readonly tools: JobTools;
  private readonly large: LargeFile;
  /** A batch, or the window of a large file. */
  private buffer: Buffer;

  constructor(tools: JobTools) {
    this.tools = tools;
    this.buffer = Buffer.allocUnsafeSlow(Math.max(BATCH_BYTES + 2 * SMALL_FILE, 2 * tools.dataMax));
    this.large = new LargeFile(tools, this.buffer);
  }

  run(): void {
    const { controls, plan, packs, source } = this.tools;
    for (let job = controls.takeJob(); job < plan.jobCount; job = controls.takeJob()) {
      controls.checkStop();
      this.tools.report(job, this.runJob(job));
      packs.tend();
      source.close();
      this.tools.pace();
    }
    release(this.buffer); // the thread may rest for long
  }

  private runJob(job: number): Buffer {
    const { kind, first, count } = this.tools.plan.job(job);
    const reports = new JobReportWriter();
    if (kind === JOB.large) this.runLarge(job, first, reports);
    else this.runBatch(job, first, count, reports);
    return reports.finish();
  }

  private runLarge(job: number, first: number, reports: JobReportWriter): void {
    const { controls, plan } = this.tools;
    const opened = this.large.begin(plan.item(first));
    if ('small' in opened) {
      const small = this.loadTiny(opened);
      this.decide(job, first, [small]);
      this.bundle([small], reports);
      reports.add(smallReport(small));
    } else {
      controls.passTurn(job);
      reports.add('report' in opened ? opened.report : this.large.finish(opened));
    }
    controls.addProgress(1, 0);
  }

  /** It shrank, or is nearly all holes. */
  private loadTiny({ small, ...metadata }: Tiny): Small {
    this.ensure(small.length);
    this.buffer.set(small);
    return this.toSmall(0, small.length, metadata);
  }

  /** A file that had been small when it was walked. The turn is over: if it is small again by now, it is stored without asking. */
  private finishGrown(item: Item, reports: JobReportWriter): void {
    const opened = this.large.begin(item);
    if ('small' in opened) {
      const small = this.loadTiny(opened);
      this.bundle([small], reports);
      reports.add(smallReport(small));
    } else reports.add('report' in opened ? opened.report : this.large.finish(opened));
  }

  private runBatch(job: number, first: number, count: number, reports: JobReportWriter): void {
    const { plan, controls } = this.tools;
    const reads: Read[] = [];
    let at = 0;
    for (let i = 0; i < count; i++) {
      const read = this.read(plan.item(first + i), at);
      if ('start' in read) at += read.length;
      reads.push(read);
    }
    const smalls = reads.map((read) => ('start' in read ? read : null));
    this.decide(job, first, smalls);
    this.bundle(
      smalls.filter((small) => small !== null),
      reports,
    );
    controls.addProgress(count, at);
    for (const read of reads) {
      if ('start' in read) reports.add(smallReport(read));
      else if ('report' in read) reports.add(read.report);
      else this.finishGrown(read.large, reports);
    }
  }

  private read(item: Item, at: number): Read {
    try {
      if (item.type === TYPE.file) return this.readFile(item, at);
      return { report: this.attributes(item) };
    } catch (error) {
      return { report: failure(error) };
    }
  }

  private attributes(item: Item): ItemReport {
    const { source } = this.tools;
    const target = item.type === TYPE.symlink ? source.readLink(item.path) : undefined;
    const { xattrs, note } = readXattrs(() => source.xattrs(item.path));
    const content = contentOf({ target, xattrs: xattrs.length > 0 ? xattrs : undefined });
    return { kind: 'done', row: null, content, again: false, note, value: -1 };
  }

  private readFile(item: Item, at: number): Read {
    const { source } = this.tools;
    this.ensure(at + SMALL_FILE);
    const began = source.now();
    const file = source.open(item.path);
    try {
      const { length, row } = readUpTo(file, this.buffer, at, SMALL_FILE);
      if (length >= SMALL_FILE) return { large: item };
      const extents = extentsWithin(length, file.extents());
      const kept = extents === null ? length : leaveHolesOut(this.buffer, at, extents);
      return this.toSmall(at, kept, { row, ...readXattrs(() => file.xattrs()), again: !settled(row, began), extents });
    } finally {
      file.close();
    }
  }

  private toSmall(start: number, length: number, metadata: Metadata): Small {
    const fileId = length > 0 ? this.tools.crypto.fileId(this.buffer.subarray(start, start + length)) : null;
    return { ...metadata, start, length, fileId, known: -1, segments: [] };
  }

  private ensure(length: number): void {
    if (length <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(length, this.buffer.length * 2));
    larger.set(this.buffer);
    this.buffer = larger;
  }

  /** In the order of the jobs: who comes first stores, all others refer to it. */
  private decide(job: number, first: number, smalls: readonly (Small | null)[]): void {
    const { controls, files } = this.tools;
    controls.awaitTurn(job);
    for (const [i, small] of smalls.entries()) {
      if (small?.fileId) small.known = files.getOrSet(small.fileId, 0, first + i);
    }
    controls.passTurn(job);
  }

  /** Joins what is new, cuts it, and tells each file where it lies. */
  private bundle(smalls: readonly Small[], reports: JobReportWriter): void {
    const fresh = smalls.filter((small) => small.fileId !== null && small.known < 0);
    let end = 0;
    for (const { start, length } of fresh) {
      if (start !== end) this.buffer.copyWithin(end, start, start + length);
      end += length;
    }
    const { cutBundle, packs } = this.tools;
    const places = new Places(fresh);
    for (let at = 0; at < end; ) {
      const length = cutBundle(this.buffer, at, end);
      const id = packs.store(KIND.bundle, this.buffer.subarray(at, at + length));
      reports.bundle(id, length);
      places.add(id, at, length);
      at += length;
      this.tools.controls.checkStop();
    }
  }
}

/** Hands the pieces of a bundle out to the files that lie in them, both in order. */
class Places {
  private readonly files: readonly Small[];
  private index = 0;
  private start = 0;

  constructor(files: readonly Small[]) {
    this.files = files;
  }

  add(id: Uint8Array, at: number, length: number): void {
    const end = at + length;
    for (;;) {
      const file = this.files[this.index];
      if (file === undefined) return;
      const from = Math.max(this.start, at);
      const to = Math.min(this.start + file.length, end);
      if (from >= to) return;
      file.segments.push({ id, offset: from - at, length: to - from });
      if (to < this.start + file.length) return;
      this.start += file.length;
      this.index++;
    }
  }
}

function smallReport(small: Small): ItemReport {
  const { row, again, fileId, segments, known, xattrs, note, extents } = small;
  const content = contentOf({
    fileId: fileId ?? undefined,
    segments: fileId && known < 0 ? segments : undefined,
    xattrs: xattrs.length > 0 ? xattrs : undefined,
    extents: extents ?? undefined,
  });
  return { kind: fileId && known >= 0 ? 'same' : 'done', row, content, again, note, value: known };
}
