import type { BackupEvent } from '@holdfast/archive/backup/backup.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { type PathFields, pathFields } from '../archive/shown-path.ts';
import type { BackupSet } from '../sets/backup-set.ts';
import type { SetOutcome } from './back-up-set.ts';

/** A run in words that go through a socket: events while it lasts, a report at its end. Commands and service share them. */
export type RunEvent =
  | { readonly kind: 'begins'; readonly set: string }
  | {
      readonly kind: 'progress';
      readonly entriesDone: number;
      readonly entriesTotal: number | null;
      readonly bytesDone: number;
      readonly bytesTotal: number | null;
      readonly bytesSent: number;
      /** Read and sealed, and not sent yet. */
      readonly bytesWaiting: number;
    }
  | ({ readonly kind: 'skipped' } & LeftOut)
  /** `null`: it goes on. */
  | { readonly kind: 'waiting'; readonly why: string | null }
  | { readonly kind: 'note'; readonly text: string };

/** An entry that is not in the snapshot. */
export type LeftOut = PathFields & { readonly reason: string };

export type RunReport = {
  readonly set: string;
  readonly setId: string;
  readonly destination: string;
  readonly kind: 'committed' | 'current';
  readonly snapshotId: string;
  readonly sequence: number | null;
  /** ms since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly stats: {
    readonly files: number;
    readonly directories: number;
    readonly others: number;
    readonly bytes: number;
    readonly entriesRead: number;
    readonly bytesRead: number;
    readonly bytesStored: number;
    readonly packs: number;
    readonly seconds: number;
  };
  /** What is not in it; at most a thousand are listed. */
  readonly skipped: readonly LeftOut[];
  readonly skippedCount: number;
  /** Those of them that are missing because they could not be read. */
  readonly unreadCount: number;
};

const LISTED = 1000;

export type RunObserver = {
  readonly onEvent: (event: BackupEvent) => void;
  readonly say: (text: string) => void;
  /** What was found about the history of the set. */
  readonly notes: () => readonly string[];
  report(outcomes: readonly SetOutcome[]): RunReport[];
};

/** `uploaded`: what went up the line since some moment, of this run or not. */
export function observeRun(set: BackupSet, emit: (event: RunEvent) => void, uploaded: () => number): RunObserver {
  let uploadedBefore = uploaded();
  // Several destinations meet the same entries
  const skipped = new Map<string, LeftOut>();
  const notes: string[] = [];
  emit({ kind: 'begins', set: set.name });
  return {
    onEvent(event) {
      if (event.kind === 'skipped' && skipped.size < LISTED) {
        skipped.set(Buffer.from(event.path).toString('latin1'), leftOut(event));
      }
      if (event.kind === 'walked') uploadedBefore = uploaded();
      const shown = describe(event, uploaded() - uploadedBefore);
      if (shown !== null) emit(shown);
      if (event.kind === 'chain' && shown?.kind === 'note') notes.push(shown.text);
    },
    say: (text) => emit({ kind: 'note', text }),
    notes: () => notes,
    report: (outcomes) => {
      const listed = [...skipped.values()];
      return outcomes.map((outcome) => reportOf(outcome, listed));
    },
  };
}

function describe(event: BackupEvent, uploaded: number): RunEvent | null {
  switch (event.kind) {
    case 'walked':
      return { ...NOTHING_DONE, entriesTotal: null, bytesTotal: null };
    case 'progress':
      return {
        kind: 'progress',
        entriesDone: event.entriesDone,
        entriesTotal: event.entriesTotal,
        bytesDone: event.bytesDone,
        bytesTotal: event.bytesTotal,
        bytesSent: event.bytesStored,
        bytesWaiting: stillToSend(event, uploaded),
      };
    case 'skipped':
      return { kind: 'skipped', ...leftOut(event) };
    case 'waiting':
      return { kind: 'waiting', why: event.why };
    case 'missing':
      return {
        kind: 'note',
        text: `the archive lacks ${event.ids} chunks that were there before; they are stored again`,
      };
    case 'chain':
      return { kind: 'note', text: `${CHAIN[event.problem]} (snapshot ${toHex(event.snapshotId).slice(0, 12)})` };
    case 'cache':
      return event.problem === 'damaged'
        ? { kind: 'note', text: 'the local cache was damaged; everything is read anew' }
        : null;
    case 'pack':
    case 'session':
    case 'partial':
      return null;
    default:
      return event satisfies never;
  }
}

const leftOut = ({ path, reason }: Extract<BackupEvent, { kind: 'skipped' }>): LeftOut => ({
  ...pathFields(path),
  reason,
});

/** A pack is acknowledged when all of it is there; on a slow line that is seen piece by piece. */
function stillToSend(
  { bytesStored, bytesWaiting }: Extract<BackupEvent, { kind: 'progress' }>,
  uploaded: number,
): number {
  return Math.min(bytesWaiting, Math.max(0, bytesStored + bytesWaiting - uploaded));
}

const NOTHING_DONE = { kind: 'progress', entriesDone: 0, bytesDone: 0, bytesSent: 0, bytesWaiting: 0 } as const;

const CHAIN = {
  fork: 'another machine has made backups as this device, or an old image of it was put back',
  lost: 'the server had lost the newest snapshot of this device; it is offered again',
  foreign: 'a snapshot bears the name of this device and is not from it; it is ignored',
} as const;

function reportOf(
  { set, destination, result, startedAt, endedAt }: SetOutcome,
  skipped: RunReport['skipped'],
): RunReport {
  const {
    totals,
    skipped: skippedCount,
    unread: unreadCount,
    entriesRead,
    bytesRead,
    bytesStored,
    packs,
  } = result.stats;
  return {
    set: set.name,
    setId: set.id,
    destination: destination.name,
    kind: result.kind,
    snapshotId: toHex(result.snapshotId),
    sequence: result.kind === 'committed' ? result.sequence : null,
    startedAt,
    endedAt,
    stats: { ...totals, entriesRead, bytesRead, bytesStored, packs, seconds: (endedAt - startedAt) / 1000 },
    skipped,
    skippedCount,
    unreadCount,
  };
}
