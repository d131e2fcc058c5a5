/**
 * What a restore tells: events while it runs, a result at the end. Whatever was not restored exactly is in the result, up to
 * LISTED entries of each kind and the number of all; each of them is an event too.
 */
import type { ArchiveErrorCode } from '../errors.ts';

export type SkipReason =
  /** Something of that name is there, and the restore was told to leave it. */
  | 'exists'
  /** A directory that is not empty stands where the entry belongs, and is not removed. */
  | 'in_the_way'
  /** The target's system does not allow the name. */
  | 'name'
  /** No such path in the snapshot. */
  | 'not_in_snapshot'
  /** The target cannot hold this type, or not without more rights. */
  | 'type'
  /** The system refused; `detail` has its code. */
  | 'failed'
  /** Restored as a file of its own: the target cannot give it a second name. */
  | 'hard_link'
  /** Restored, but without its owner, setuid and setgid bits, mode, exact time, or some extended attribute. */
  | 'owner'
  | 'setuid'
  | 'mode'
  | 'times'
  | 'xattrs';

export type Skipped = {
  readonly path: Uint8Array;
  readonly reason: SkipReason;
  /** The content is there; only what `reason` names is not. */
  readonly restored: boolean;
  readonly detail: string;
};

/** A file or directory of which chunks could not be had; of a directory the rest was restored. */
export type Damaged = { readonly path: Uint8Array; readonly code: ArchiveErrorCode; readonly id: Uint8Array | null };

/** A file that was there, and what it is called now, in the same directory. */
export type Renamed = { readonly path: Uint8Array; readonly to: Uint8Array };

export type Counts = {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  /** Content of files, holes included. */
  readonly bytes: number;
};

export type RestoreEvent =
  | {
      readonly kind: 'progress';
      readonly done: Counts;
      readonly total: Counts;
      readonly bytesRead: number;
      readonly bytesPerSecond: number;
    }
  | ({ readonly kind: 'skipped' } & Skipped)
  | ({ readonly kind: 'damaged' } & Damaged)
  | ({ readonly kind: 'renamed' } & Renamed);

export type RestoreResult = {
  /** `planned`: a dry run; nothing was written. */
  readonly kind: 'restored' | 'planned';
  /** Everything that was asked for is there. Attributes that the target could not take (`restored` in `skipped`), and files left on request, do not count. */
  readonly ok: boolean;
  /** Restored, or right already; in a dry run what would be. */
  readonly done: Counts;
  /** Of these, what was right already. */
  readonly unchanged: number;
  readonly packs: number;
  readonly reads: number;
  readonly bytesRead: number;
  readonly skipped: readonly Skipped[];
  readonly skippedCount: number;
  readonly damaged: readonly Damaged[];
  readonly damagedCount: number;
  readonly renamed: readonly Renamed[];
  readonly renamedCount: number;
};

export const LISTED = 1000;
const PROGRESS_EVERY = 250; // ms
/** The rate is that of the last so many ms, so that it follows what happens now. */
const RATE_OVER = 5000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type Tally = Mutable<Counts>;
const nothing = (): Tally => ({ files: 0, directories: 0, others: 0, bytes: 0 });

export type ReportOptions = {
  readonly now: () => number;
  /** What the caller knows of the whole, e.g. from the snapshot's description; the walk's own count, which grows, replaces it where it is more. */
  readonly expected?: Partial<Counts>;
  readonly onEvent?: (event: RestoreEvent) => void;
};

export class Report {
  /** Met by the walk so far. */
  readonly met = nothing();
  readonly done = nothing();
  unchanged = 0;
  private readonly skipped = new Listed<Skipped>();
  private readonly damaged = new Listed<Damaged>();
  private readonly renamed = new Listed<Renamed>();
  private failed = false;
  private readonly options: ReportOptions;
  private readonly samples: { readonly at: number; readonly bytes: number }[] = [];
  private last = Number.NEGATIVE_INFINITY;

  constructor(options: ReportOptions) {
    this.options = options;
  }

  skip(path: Uint8Array, reason: SkipReason, detail = ''): void {
    const restored = RESTORED.has(reason);
    if (!restored && reason !== 'exists') this.failed = true;
    this.emit('skipped', this.skipped.add({ path, reason, restored, detail }));
  }

  damage(path: Uint8Array, code: ArchiveErrorCode, id: Uint8Array | null): void {
    this.failed = true;
    this.emit('damaged', this.damaged.add({ path, code, id }));
  }

  rename(path: Uint8Array, to: Uint8Array): void {
    this.emit('renamed', this.renamed.add({ path, to }));
  }

  /** Tells the progress if it is time; `always` at the end. */
  progress(bytesRead: number, always = false): void {
    const { onEvent, now, expected } = this.options;
    if (onEvent === undefined) return;
    const at = now();
    if (!always && at - this.last < PROGRESS_EVERY) return;
    this.last = at;
    const { met } = this;
    const total = {
      files: Math.max(met.files, expected?.files ?? 0),
      directories: Math.max(met.directories, expected?.directories ?? 0),
      others: Math.max(met.others, expected?.others ?? 0),
      bytes: Math.max(met.bytes, expected?.bytes ?? 0),
    };
    onEvent({ kind: 'progress', done: { ...this.done }, total, bytesRead, bytesPerSecond: this.rate(at) });
  }

  result(kind: RestoreResult['kind'], reading: Pick<RestoreResult, 'packs' | 'reads' | 'bytesRead'>): RestoreResult {
    return {
      kind,
      ok: !this.failed,
      done: { ...(kind === 'planned' ? this.met : this.done) },
      unchanged: this.unchanged,
      ...reading,
      skipped: this.skipped.items,
      skippedCount: this.skipped.count,
      damaged: this.damaged.items,
      damagedCount: this.damaged.count,
      renamed: this.renamed.items,
      renamedCount: this.renamed.count,
    };
  }

  private rate(at: number): number {
    const { samples } = this;
    samples.push({ at, bytes: this.done.bytes });
    while (samples.length > 2 && at - (samples[1]?.at ?? at) >= RATE_OVER) samples.shift();
    const first = samples[0];
    if (first === undefined || at <= first.at) return 0;
    return ((this.done.bytes - first.bytes) * 1000) / (at - first.at);
  }

  private emit<K extends 'skipped' | 'damaged' | 'renamed'>(
    kind: K,
    item: Extract<RestoreEvent, { kind: K }> extends infer E ? Omit<E, 'kind'> : never,
  ): void {
    this.options.onEvent?.({ kind, ...item } as unknown as RestoreEvent);
  }
}

const RESTORED: ReadonlySet<SkipReason> = new Set<SkipReason>([
  'hard_link',
  'owner',
  'setuid',
  'mode',
  'times',
  'xattrs',
]);

class Listed<T> {
  readonly items: T[] = [];
  count = 0;

  add(item: T): T {
    if (this.items.length < LISTED) this.items.push(item);
    this.count++;
    return item;
  }
}
