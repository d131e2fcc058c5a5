/**
 * Writes a walked tree into a FileTarget. Knows nothing of chunks: it says which files need content, and takes bytes for them
 * in any order.
 *
 * Nouns: a *place* is a directory of the walk at the target, being filled; a *job* is a file whose content is on its way.
 *
 * ```
 * enter  make the directory, or merge with the one that is there
 * entry  link, FIFO, device: made at once · file: left alone if it is right already, else a job (done at once when empty)
 *        a further hard link waits until the first name of its file is there
 * write / fail, as chunks come: the last piece completes the file and gives it its name
 * settle after each window: waiting hard links, then the attributes of the directories left, in that order,
 *        since both change the time of a directory
 * ```
 */
import { ArchiveError } from '../errors.ts';
import type { Segment, TreeEntry } from '../format/tree.ts';
import type { FileTarget, NewFile, TargetDirectory } from '../target/file-target.ts';
import { isRight } from './existing.ts';
import { HardLinks } from './hard-links.ts';
import type { Report } from './report.ts';
import { makeRoom, type RoomOptions, type Spot, shown, spotOf } from './room.ts';
import { dataLength, type Placer, placerOf } from './segments.ts';
import type { Write, WriteResult } from './session-reader.ts';
import type { WalkDirectory, WalkItem } from './walk.ts';

export type Place = {
  /** `null`: it could not be made, so nothing below it is. */
  readonly at: TargetDirectory | null;
  readonly walked: WalkDirectory;
  /** We made it, so nothing but ours can be in it. */
  readonly fresh: boolean;
  readonly attributes: boolean;
};

export type FileJob = {
  readonly spot: Spot;
  /** What `Window` asks for the segments of. */
  readonly entry: TreeEntry;
  readonly placer: Placer;
  file: NewFile | null;
  /** Bytes of its segments that have not come yet. */
  missing: number;
  ended: boolean;
};

export type TreeWriterOptions = RoomOptions & {
  /** Directories above the selection may be reached through links: the user's paths lead there. */
  readonly followAbove: boolean;
};

/** An entry and the place that it belongs in. */
type Placed = { readonly place: Place; readonly spot: Spot };

type EntryItem = Pick<Extract<WalkItem, { kind: 'entry' }>, 'entry' | 'collides'>;
type EnterItem = Pick<Extract<WalkItem, { kind: 'enter' }>, 'directory' | 'collides'>;

/** Others may put something there again and again; we give way before that becomes a race without end. */
const RETRIES = 3;

export class TreeWriter {
  private readonly options: TreeWriterOptions;
  private readonly target: FileTarget;
  private readonly report: Report;
  private readonly places: Place[];
  private readonly left: Place[] = [];
  private readonly hardLinks = new HardLinks<Placed>();
  /** Jobs that are not ended. */
  private coming = 0;

  constructor(options: TreeWriterOptions) {
    this.options = options;
    this.target = options.target;
    this.report = options.report;
    const walked = { parent: null, entry: null, depth: 0, above: true };
    this.places = [{ at: options.target.root, walked, fresh: false, attributes: false }];
    options.target.sweep(options.target.root);
  }

  enter({ directory, collides }: EnterItem): void {
    const parent = this.places.at(-1) as Place;
    let place: Place = { at: null, walked: directory, fresh: false, attributes: false };
    if (parent.at !== null) {
      const spot = spotOf(parent.at, parent.walked, directory.entry as TreeEntry, collides);
      this.guard(spot, () => {
        place = this.makePlace(spot, directory) ?? place;
      });
    }
    if (place.at !== null && !directory.above) this.report.done.directories++;
    this.places.push(place);
  }

  leave(): void {
    const place = this.places.pop();
    if (place?.at && place.attributes) this.left.push(place);
  }

  /** The file whose content is needed, if that is what it takes. */
  entry({ entry, collides }: EntryItem): FileJob | null {
    const place = this.places.at(-1) as Place;
    if (place.at === null) return null;
    const placed = { place, spot: spotOf(place.at, place.walked, entry, collides) };
    return this.hardLinks.wait(entry, placed) ? null : this.begin(placed);
  }

  write(job: FileJob, position: number, bytes: Uint8Array): void {
    if (job.ended) return;
    this.guardJob(job, () => {
      job.file ??= this.target.createFile(job.spot.at, job.entry);
      for (const { position: from, offset, length } of job.placer(position, bytes.length))
        this.target.write(job.file, offset, bytes.subarray(from - position, from - position + length));
      job.missing -= bytes.length;
      if (job.missing === 0) this.complete(job);
    });
  }

  /**
   * Where a segment's bytes belong, for another thread to write; null when they have to come through `write`. Given back by `giveBack`, in which
   * `results` null means that nothing was written.
   */
  lend(job: FileJob, position: number, { offset, length }: Segment): Write[] | null {
    let writes: Write[] | null = null;
    if (job.ended) return null;
    this.guardJob(job, () => {
      job.file ??= this.target.createFile(job.spot.at, job.entry);
      const fd = this.target.lend(job.file);
      if (fd === null) return;
      writes = job.placer(position, length).map((stretch) => ({
        fd,
        from: offset + stretch.position - position,
        length: stretch.length,
        position: stretch.offset,
      }));
    });
    return writes;
  }

  giveBack(job: FileJob, position: number, { id, length }: Segment, results: readonly WriteResult[] | null): void {
    const last = job.placer(position, length).at(-1);
    const end = last === undefined || results === null ? 0 : last.offset + last.length;
    this.guard(job.spot, () => this.target.giveBack(job.file as NewFile, end));
    if (job.ended || results === null) return;
    const code = results.find((result) => result !== null);
    if (code === 'short') this.fail(job, runsPast(id));
    else
      this.guardJob(job, () => {
        if (code !== undefined) throw Object.assign(new Error(`${code}: write`), { code });
        job.missing -= length;
        if (job.missing === 0) this.complete(job);
      });
  }

  /** Its content cannot be had. */
  fail(job: FileJob, error: ArchiveError): void {
    if (job.ended) return;
    this.report.damage(shown(job.spot), error.code, error.data.id ?? null);
    this.drop(job);
  }

  /** Makes the hard links that wait; what cannot be one is begun as a file of its own, and may give others something to wait for. */
  settleLinks(): FileJob[] {
    const jobs: FileJob[] = [];
    for (const placed of this.hardLinks.takeWaiting()) {
      const { spot } = placed;
      const first = this.hardLinks.firstOf(spot.entry);
      if (first !== null && this.link(first, spot)) continue;
      // An earlier one of this round may have become the first: then it is worth waiting for.
      if (first === null && this.hardLinks.wait(spot.entry, placed)) continue;
      const job = this.begin(placed);
      if (job !== null) jobs.push(job);
    }
    return jobs;
  }

  /** Gives the directories left their attributes, unless something may still be on its way into one of them. */
  settleDirectories(): void {
    if (this.coming > 0 || this.hardLinks.waiting > 0) return;
    for (const { at, walked } of this.left.splice(0)) {
      const spot = { walked: walked.parent as WalkDirectory, entry: walked.entry as TreeEntry };
      this.guard(spot, () => {
        const lacks = this.target.setDirectoryAttributes(at as TargetDirectory, spot.entry);
        for (const lack of lacks) this.report.skip(shown(spot), lack);
      });
    }
  }

  private makePlace(spot: Spot, walked: WalkDirectory): Place | null {
    if (!this.allowsName(spot)) return null;
    const { target } = this;
    const at = target.directory(spot.at, spot.name, { follow: walked.above && this.options.followAbove });
    for (let attempt = 0; ; attempt++) {
      if (target.makeDirectory(at)) return { at, walked, fresh: true, attributes: true };
      if (target.isDirectory(at)) {
        target.sweep(at);
        return { at, walked, fresh: false, attributes: !walked.above };
      }
      if (attempt === RETRIES || !makeRoom(this.options, spot)) return null;
    }
  }

  private begin({ place, spot }: Placed): FileJob | null {
    let job: FileJob | null = null;
    this.guard(spot, () => {
      if (!this.allowsName(spot) || (!place.fresh && this.isThere(spot))) return;
      if (spot.entry.type === 'file') job = this.beginFile(spot);
      else this.makeOther(spot);
    });
    return job;
  }

  /** Nothing is left to do: it is right already, or stays as it is. */
  private isThere(spot: Spot): boolean {
    const { at, name, entry } = spot;
    const found = this.target.stat(at, name);
    if (found === null) return false;
    if (isRight(this.target, at, name, found, entry)) {
      if (entry.type !== 'file' || entry.xattrs !== undefined) this.attribute(spot);
      this.report.unchanged++;
      this.finish(spot);
      return true;
    }
    if (this.options.existing !== 'skip') return false;
    this.report.skip(shown(spot), 'exists');
    return true;
  }

  private beginFile(spot: Spot): FileJob | null {
    const { entry } = spot;
    const missing = dataLength(entry);
    const job: FileJob = { spot, entry, placer: placerOf(entry.extents), file: null, missing, ended: false };
    this.hardLinks.begin(spot);
    this.coming++;
    if (missing > 0) return job;
    this.guardJob(job, () => {
      job.file = this.target.createFile(spot.at, entry);
      this.complete(job);
    });
    return null;
  }

  private complete(job: FileJob): void {
    const { spot, entry } = job;
    const file = job.file as NewFile;
    const lacks = this.target.complete(file, entry.size ?? 0, entry);
    if (!this.publish(spot, file)) {
      this.drop(job);
      return;
    }
    this.end(job);
    for (const lack of lacks) this.report.skip(shown(spot), lack);
    this.finish(spot);
  }

  private publish(spot: Spot, file: NewFile): boolean {
    const { at, name } = spot;
    for (let attempt = 0; !this.target.publish(file, name); attempt++) {
      const replaceable = this.options.existing === 'overwrite' && this.target.stat(at, name)?.type !== 'directory';
      if (replaceable) return this.target.publish(file, name, { replace: true });
      if (attempt === RETRIES || !makeRoom(this.options, spot)) return false;
    }
    return true;
  }

  private makeOther(spot: Spot): void {
    for (let attempt = 0; ; attempt++) {
      const made = this.make(spot);
      if (made === true) break;
      if (made === 'unsupported') this.report.skip(shown(spot), 'type', spot.entry.type);
      if (made === 'unsupported' || attempt === RETRIES || !makeRoom(this.options, spot)) return;
    }
    this.attribute(spot);
    this.finish(spot);
  }

  private make({ at, name, entry }: Spot): boolean | 'unsupported' {
    const { type, target, device } = entry;
    if (type === 'file' || type === 'directory') throw new Error(`A ${type} is not made here.`);
    if (type === 'symlink') return this.target.makeSymlink(at, name, target ?? new Uint8Array(0));
    return this.target.makeNode(at, name, type, device);
  }

  /** False when it has to be a file of its own. */
  private link(first: Spot, spot: Spot): boolean {
    let linked = false;
    const went = this.guard(spot, () => {
      linked = this.tryLink(first, spot);
    });
    return linked || !went;
  }

  private tryLink(first: Spot, spot: Spot): boolean {
    if (!this.allowsName(spot)) return true;
    const { target, report } = this;
    const { at, name } = spot;
    const found = target.stat(at, name);
    if (found !== null && found.identity === target.stat(first.at, first.name)?.identity) {
      report.unchanged++;
    } else {
      // The same content under the same name: nothing is lost by making it the link that it was.
      if (found !== null && isRight(target, at, name, found, spot.entry)) target.remove(at, name);
      else if (found !== null && !makeRoom(this.options, spot)) return true;
      const made = target.makeHardLink(first.at, first.name, at, name);
      if (made === 'unsupported') report.skip(shown(spot), 'hard_link');
      if (made !== true) return false;
    }
    this.finish(spot);
    return true;
  }

  private attribute(spot: Spot): void {
    const lacks = this.target.setAttributes(spot.at, spot.name, spot.entry.type, spot.entry);
    for (const lack of lacks) this.report.skip(shown(spot), lack);
  }

  private finish(spot: Spot): void {
    const { done } = this.report;
    if (spot.entry.type === 'file') done.files++;
    else done.others++;
    done.bytes += spot.entry.size ?? 0;
    this.hardLinks.there(spot);
  }

  private end(job: FileJob): void {
    if (!job.ended) this.coming--;
    job.ended = true;
  }

  private drop(job: FileJob): void {
    this.end(job);
    this.hardLinks.failed(job.spot);
    const { file } = job;
    if (file !== null) this.guard(job.spot, () => this.target.discard(file));
  }

  private allowsName(spot: Spot): boolean {
    const problem = this.target.capabilities.problemOfName(spot.name);
    if (problem !== null) this.report.skip(shown(spot), 'name', problem);
    return problem === null;
  }

  private guardJob(job: FileJob, act: () => void): void {
    if (!this.guard(job.spot, act)) this.drop(job);
  }

  /** What the target refuses for one entry is listed, and the others go on; what concerns all of them ends the restore. False when it failed. */
  private guard(spot: Pick<Spot, 'walked' | 'entry'>, act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      const code = systemCode(error);
      if (code === null) throw error;
      const fatal = FATAL[code];
      if (fatal !== undefined) throw new ArchiveError(fatal, { detail: code }, { cause: error });
      this.report.skip(shown(spot), 'failed', code);
      return false;
    }
  }
}

export const runsPast = (id: Uint8Array): ArchiveError =>
  new ArchiveError('format_invalid', { id, record: 'segment', detail: 'it runs past its chunk' });

/** `EACCES` and the like; null for errors that are not the system's. */
function systemCode(error: unknown): string | null {
  const { code } = error as NodeJS.ErrnoException;
  return !(error instanceof ArchiveError) && typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : null;
}

const FATAL: { readonly [code: string]: 'target_full' | 'target_unusable' | undefined } = {
  ENOSPC: 'target_full',
  EDQUOT: 'target_full',
  EROFS: 'target_unusable',
  EIO: 'target_unusable',
  EMFILE: 'target_unusable',
  ENFILE: 'target_unusable',
};
