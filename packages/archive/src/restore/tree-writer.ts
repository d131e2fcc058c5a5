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
 * write / fail / seal, as chunks come: the last piece completes the file and gives it its name
 * settle after each window: waiting hard links, then the attributes of the directories left, in that order,
 *        since both change the time of a directory
 * ```
 */
import { ArchiveError } from '../errors.ts';
import type { TreeEntry } from '../format/tree.ts';
import type { FileTarget, NewFile, TargetDirectory } from '../target/file-target.ts';
import { asideName, deletedName, type ExistingMode, isRight } from './existing.ts';
import { sameContent } from './lookup.ts';
import type { Report, SkipReason } from './report.ts';
import { dataLength, type Placer, placerOf } from './segments.ts';
import { pathOf, type WalkDirectory, type WalkItem } from './walk.ts';

export type Place = {
  /** `null`: it could not be made, so nothing below it is. */
  readonly at: TargetDirectory | null;
  readonly walked: WalkDirectory;
  /** We made it, so nothing but ours can be in it. */
  readonly fresh: boolean;
  readonly attributes: boolean;
};

export type FileJob = {
  readonly entry: TreeEntry;
  readonly path: Uint8Array;
  readonly at: TargetDirectory;
  readonly name: Uint8Array;
  readonly placer: Placer;
  file: NewFile | null;
  /** Bytes of its segments that have not come yet. */
  missing: number;
  ended: boolean;
};

/** The first name under which a hard-linked file was restored. */
type Group = {
  readonly entry: TreeEntry;
  readonly at: TargetDirectory;
  readonly name: Uint8Array;
  state: 'coming' | 'there' | 'failed';
};
type WaitingLink = { readonly place: Place; readonly entry: TreeEntry; readonly collides: boolean };

export type TreeWriterOptions = {
  readonly target: FileTarget;
  readonly report: Report;
  readonly existing: ExistingMode;
  readonly now: () => number;
  /** Directories above the selection may be reached through links: the user's paths lead there. */
  readonly followAbove: boolean;
};

type EntryItem = Extract<WalkItem, { kind: 'entry' }>;
type EnterItem = Extract<WalkItem, { kind: 'enter' }>;

export class TreeWriter {
  private readonly target: FileTarget;
  private readonly report: Report;
  private readonly options: TreeWriterOptions;
  private readonly places: Place[];
  private readonly left: Place[] = [];
  private readonly groups = new Map<number, Group>();
  private links: WaitingLink[] = [];
  /** Jobs that are not ended. */
  private coming = 0;

  constructor(options: TreeWriterOptions) {
    this.options = options;
    this.target = options.target;
    this.report = options.report;
    const root = { parent: null, entry: null, depth: 0, above: true };
    this.places = [{ at: options.target.root, walked: root, fresh: false, attributes: false }];
    this.guard(new Uint8Array(0), () => this.target.sweep(this.target.root));
  }

  enter({ directory, collides }: EnterItem): void {
    const parent = this.places.at(-1) as Place;
    const entry = directory.entry as TreeEntry;
    let place: Place = { at: null, walked: directory, fresh: false, attributes: false };
    if (parent.at !== null)
      this.guard(pathOf(directory), () => {
        place = this.makePlace(parent.at as TargetDirectory, nameOf(entry, collides), directory) ?? place;
      });
    if (place.at !== null && !directory.above) this.report.done.directories++;
    this.places.push(place);
  }

  leave(): void {
    const place = this.places.pop();
    if (place?.at && place.attributes) this.left.push(place);
  }

  /** The file whose content is needed, if that is what it takes. */
  entry({ entry, collides }: Pick<EntryItem, 'entry' | 'collides'>): FileJob | null {
    const place = this.places.at(-1) as Place;
    if (place.at === null) return null;
    if (this.groupOf(entry) === null) return this.begin(place, entry, collides);
    this.links.push({ place, entry, collides });
    return null;
  }

  write(job: FileJob, position: number, bytes: Uint8Array): void {
    if (job.ended) return;
    this.guardJob(job, () => {
      job.file ??= this.target.createFile(job.at);
      for (const { position: from, offset, length } of job.placer(position, bytes.length))
        this.target.write(job.file, offset, bytes.subarray(from - position, from - position + length));
      job.missing -= bytes.length;
      if (job.missing === 0) this.complete(job);
    });
  }

  /** Its content cannot be had. */
  fail(job: FileJob, error: ArchiveError): void {
    if (job.ended) return;
    this.report.damage(job.path, error.code, error.data.id ?? null);
    this.drop(job);
  }

  /** Makes the hard links that wait; what cannot be one is begun as a file of its own, and may give others something to wait for. */
  settleLinks(): FileJob[] {
    const { links } = this;
    this.links = [];
    const jobs: FileJob[] = [];
    for (const link of links) {
      const { place, entry, collides } = link;
      const group = this.groupOf(entry);
      if (group?.state === 'coming') this.links.push(link);
      else if (group === null || !this.link(group, place, entry, collides)) {
        const job = this.begin(place, entry, collides);
        if (job !== null) jobs.push(job);
      }
    }
    return jobs;
  }

  /** The other name of this entry's file, if that is there or coming. The same number on different content is a lie, and each is restored for itself. */
  private groupOf(entry: TreeEntry): Group | null {
    const group = entry.group === undefined ? undefined : this.groups.get(entry.group);
    return group !== undefined && group.state !== 'failed' && sameContent(group.entry, entry) ? group : null;
  }

  /** Gives the directories left their attributes, unless something may still be on its way into one of them. */
  settleDirectories(): void {
    if (this.coming > 0 || this.links.length > 0) return;
    for (const { at, walked } of this.left.splice(0)) {
      const path = pathOf(walked);
      this.guard(path, () => {
        const lacks = this.target.setDirectoryAttributes(at as TargetDirectory, walked.entry as TreeEntry);
        for (const lack of lacks) this.report.skip(path, lack);
      });
    }
  }

  private makePlace(parent: TargetDirectory, name: Uint8Array, walked: WalkDirectory): Place | null {
    const { target } = this;
    const path = pathOf(walked);
    if (!this.allowsName(name, path)) return null;
    const at = target.directory(parent, name, { follow: walked.above && this.options.followAbove });
    for (let attempt = 0; ; attempt++) {
      if (target.makeDirectory(at)) return { at, walked, fresh: true, attributes: true };
      if (target.isDirectory(at)) {
        target.sweep(at);
        return { at, walked, fresh: false, attributes: !walked.above };
      }
      if (attempt === RETRIES || !this.clear(parent, name, path)) return null;
    }
  }

  private begin(place: Place, entry: TreeEntry, collides: boolean): FileJob | null {
    const path = pathOf(place.walked, entry);
    let job: FileJob | null = null;
    this.guard(path, () => {
      const name = nameOf(entry, collides);
      if (!this.allowsName(name, path)) return;
      const at = place.at as TargetDirectory;
      if (!place.fresh && this.isThere(at, name, entry, path)) return;
      if (entry.type === 'file') job = this.beginFile(at, name, entry, path);
      else this.makeOther(at, name, entry, path);
    });
    return job;
  }

  /** Nothing is left to do: it is right already, or stays as it is. */
  private isThere(at: TargetDirectory, name: Uint8Array, entry: TreeEntry, path: Uint8Array): boolean {
    const found = this.target.stat(at, name);
    if (found === null) return false;
    if (isRight(this.target, at, name, found, entry)) {
      if (entry.type !== 'file' || entry.xattrs !== undefined) this.attribute(at, name, entry, path);
      this.report.unchanged++;
      this.finish(at, name, entry);
      return true;
    }
    if (this.options.existing !== 'skip') return false;
    this.report.skip(path, 'exists');
    return true;
  }

  private beginFile(at: TargetDirectory, name: Uint8Array, entry: TreeEntry, path: Uint8Array): FileJob | null {
    const missing = dataLength(entry);
    const job: FileJob = { entry, path, at, name, placer: placerOf(entry.extents), file: null, missing, ended: false };
    this.remember(at, name, entry, 'coming');
    this.coming++;
    if (missing > 0) return job;
    this.guardJob(job, () => {
      job.file = this.target.createFile(at);
      this.complete(job);
    });
    return null;
  }

  private complete(job: FileJob): void {
    const file = job.file as NewFile;
    const lacks = this.target.complete(file, job.entry.size ?? 0, job.entry);
    if (!this.publish(job, file)) {
      this.drop(job);
      return;
    }
    this.end(job);
    for (const lack of lacks) this.report.skip(job.path, lack);
    this.finish(job.at, job.name, job.entry);
  }

  private publish({ at, name, path }: FileJob, file: NewFile): boolean {
    for (let attempt = 0; !this.target.publish(file, name); attempt++) {
      const replaceable = this.options.existing === 'overwrite' && this.target.stat(at, name)?.type !== 'directory';
      if (replaceable) return this.target.publish(file, name, { replace: true });
      if (attempt === RETRIES || !this.clear(at, name, path)) return false;
    }
    return true;
  }

  private makeOther(at: TargetDirectory, name: Uint8Array, entry: TreeEntry, path: Uint8Array): void {
    for (let attempt = 0; ; attempt++) {
      const made = this.make(at, name, entry);
      if (made === true) break;
      if (made === 'unsupported') this.report.skip(path, 'type', entry.type);
      if (made === 'unsupported' || attempt === RETRIES || !this.clear(at, name, path)) return;
    }
    this.attribute(at, name, entry, path);
    this.finish(at, name, entry);
  }

  private make(at: TargetDirectory, name: Uint8Array, { type, target, device }: TreeEntry): boolean | 'unsupported' {
    if (type === 'file' || type === 'directory') throw new Error(`A ${type} is not made here.`);
    if (type === 'symlink') return this.target.makeSymlink(at, name, target ?? new Uint8Array(0));
    return this.target.makeNode(at, name, type, device);
  }

  /** False when it has to be a file of its own. */
  private link(group: Group, place: Place, entry: TreeEntry, collides: boolean): boolean {
    const path = pathOf(place.walked, entry);
    let linked = false;
    const went = this.guard(path, () => {
      linked = this.tryLink(group, place.at as TargetDirectory, nameOf(entry, collides), entry, path);
    });
    return linked || !went;
  }

  private tryLink(group: Group, at: TargetDirectory, name: Uint8Array, entry: TreeEntry, path: Uint8Array): boolean {
    if (!this.allowsName(name, path)) return true;
    const { target } = this;
    const first = target.stat(group.at, group.name);
    const found = target.stat(at, name);
    if (first !== null && found?.identity === first.identity) {
      this.report.unchanged++;
    } else {
      if (found !== null && !this.clearForLink(at, name, entry, path)) return true;
      const made = target.makeHardLink(group.at, group.name, at, name);
      if (made === 'unsupported') this.report.skip(path, 'hard_link');
      if (made !== true) return false;
    }
    this.finish(at, name, entry);
    return true;
  }

  private clearForLink(at: TargetDirectory, name: Uint8Array, entry: TreeEntry, path: Uint8Array): boolean {
    const found = this.target.stat(at, name);
    if (found === null) return true;
    if (!isRight(this.target, at, name, found, entry)) return this.clear(at, name, path);
    this.target.remove(at, name); // the same, under the same name: nothing is lost by making it the link that it was
    return true;
  }

  /** Makes the name free as the mode says; false (and listed) when it stays taken. */
  private clear(at: TargetDirectory, name: Uint8Array, path: Uint8Array): boolean {
    switch (this.options.existing) {
      case 'skip':
        this.report.skip(path, 'exists');
        return false;
      case 'rename':
        return this.moveAside(at, name, path);
      case 'overwrite':
        return this.removeExisting(at, name, path);
      default:
        return this.options.existing satisfies never;
    }
  }

  private moveAside(at: TargetDirectory, name: Uint8Array, path: Uint8Array): boolean {
    for (let attempt = 1; attempt <= MAX_ASIDE; attempt++) {
      const to = asideName(name, this.options.now(), attempt);
      if (!this.target.rename(at, name, to)) continue;
      this.report.rename(path, to);
      return true;
    }
    this.report.skip(path, 'failed', 'no free name for what is there');
    return false;
  }

  private removeExisting(at: TargetDirectory, name: Uint8Array, path: Uint8Array): boolean {
    try {
      this.target.remove(at, name);
      return true;
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error))) throw error;
      this.report.skip(path, 'in_the_way');
      return false;
    }
  }

  private attribute(at: TargetDirectory, name: Uint8Array, entry: TreeEntry, path: Uint8Array): void {
    for (const lack of this.target.setAttributes(at, name, entry.type, entry)) this.report.skip(path, lack);
  }

  private finish(at: TargetDirectory, name: Uint8Array, entry: TreeEntry): void {
    const { done } = this.report;
    if (entry.type === 'file') done.files++;
    else done.others++;
    done.bytes += entry.size ?? 0;
    this.remember(at, name, entry, 'there');
  }

  private remember(at: TargetDirectory, name: Uint8Array, entry: TreeEntry, state: Group['state']): void {
    if (entry.group === undefined) return;
    const known = this.groups.get(entry.group);
    if (known === undefined || known.state === 'failed') this.groups.set(entry.group, { entry, at, name, state });
    else if (known.entry === entry) known.state = state;
  }

  private end(job: FileJob): void {
    if (!job.ended) this.coming--;
    job.ended = true;
  }

  private drop(job: FileJob): void {
    this.end(job);
    this.remember(job.at, job.name, job.entry, 'failed');
    const { file } = job;
    if (file !== null) this.guard(job.path, () => this.target.discard(file));
  }

  private allowsName(name: Uint8Array, path: Uint8Array): boolean {
    const problem = this.target.capabilities.problemOfName(name);
    if (problem !== null) this.report.skip(path, 'name', problem);
    return problem === null;
  }

  private guardJob(job: FileJob, act: () => void): void {
    if (!this.guard(job.path, act)) this.drop(job);
  }

  /** What the target refuses for one entry is listed, and the others go on; what concerns all of them ends the restore. False when it failed. */
  private guard(path: Uint8Array, act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (error instanceof ArchiveError || !/^E[A-Z0-9]+$/.test(code)) throw error;
      const fatal: SkipReason | 'target_full' | 'target_unusable' = FATAL[code] ?? 'failed';
      if (fatal !== 'failed') throw new ArchiveError(fatal, { detail: code }, { cause: error });
      this.report.skip(path, 'failed', code);
      return false;
    }
  }
}

const nameOf = (entry: TreeEntry, collides: boolean): Uint8Array =>
  collides && entry.deleted !== undefined ? deletedName(entry.name, entry.deleted) : entry.name;

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code);

/** Others may put something there again and again; we give way before that becomes a race without end. */
const RETRIES = 3;
const MAX_ASIDE = 100;

const FATAL: { readonly [code: string]: 'target_full' | 'target_unusable' | undefined } = {
  ENOSPC: 'target_full',
  EDQUOT: 'target_full',
  EROFS: 'target_unusable',
  EIO: 'target_unusable',
  EMFILE: 'target_unusable',
  ENFILE: 'target_unusable',
};
