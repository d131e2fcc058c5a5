/** What a backup is asked for, what it tells while it works, and what comes out. */
import type { ArchiveEndpoint } from '../endpoint/endpoint.ts';
import type { ArchiveErrorCode } from '../errors.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import type { SignMessage } from '../keys/snapshot.ts';
import type { Exclusions, SourceModule } from '../source/source.ts';
import type { Totals } from './cache.ts';
import type { Workers } from './kept-workers.ts';
import type { CutLimits } from './tree-chunks.ts';

export type BackupOptions = {
  readonly endpoint: ArchiveEndpoint;
  readonly keys: ArchiveKeys;
  /** With the device's Ed25519 key. */
  readonly sign: SignMessage;
  readonly deviceId: Uint8Array;
  readonly deviceName: string;
  readonly setId: Uint8Array;
  readonly setName: string;
  readonly destinationId: Uint8Array;
  readonly agentVersion: string;
  /** Absolute paths of files and directories. */
  readonly roots: readonly Uint8Array[];
  readonly exclude?: Exclusions;
  /** Stay on the file systems of the roots. */
  readonly oneFileSystem?: boolean;
  /** Where to keep the cache; `null` reads everything each time. Never part of a backup. */
  readonly cacheDir: string | null;
  /** Threads; one per core unless told. */
  readonly workers?: number;
  /** Where they come from; each run starts and ends its own unless told. */
  readonly threads?: Workers;
  /** ms since 1970 */
  readonly now: () => number;
  readonly limits?: {
    /** Share of a core for each thread, above 0 and up to 1; a function is asked while the run lasts. */
    readonly cpu?: number | (() => number);
  };
  /** From a watcher: only these directories are looked at, and what is new below them; the rest stands as the cache has it. */
  readonly hint?: { readonly changedDirectories: readonly Uint8Array[] };
  /** How long deleted entries are kept, ms; `null` for ever. */
  readonly goneKeepMs?: number | null;
  /** A long run commits what it has so far this often. */
  readonly partial?: { readonly afterMs?: number; readonly afterBytes?: number };
  /** How long to repeat what the destination refuses for the moment, ms; 0 where the endpoint has a patience of its own. */
  readonly patienceMs?: number;
  readonly onEvent?: (event: BackupEvent) => void;
  readonly signal?: AbortSignal;
  /** Another way to read files than this machine's file system. */
  readonly source?: SourceModule;
  /** How large directories and lists are cut (format §5.4); small values make many parts out of little. */
  readonly cutLimits?: CutLimits;
};

export type BackupEvent =
  | {
      readonly kind: 'walked';
      readonly files: number;
      readonly directories: number;
      readonly bytes: number;
      readonly full: boolean;
    }
  | {
      readonly kind: 'progress';
      /** Entries of every type whose content or attributes are read. */
      readonly entriesDone: number;
      readonly entriesTotal: number;
      readonly bytesDone: number;
      readonly bytesTotal: number;
      readonly bytesStored: number;
      /** Sealed, and not acknowledged yet. */
      readonly bytesWaiting: number;
    }
  | { readonly kind: 'skipped'; readonly path: Uint8Array; readonly reason: string }
  | { readonly kind: 'pack'; readonly bytes: number; readonly result: 'stored' | 'exists' }
  /** The destination does not answer, and is asked again after `ms`; `null`: it answered, and the run goes on. */
  | { readonly kind: 'waiting'; readonly why: ArchiveErrorCode | null; readonly ms: number }
  | { readonly kind: 'session'; readonly epoch: number; readonly renewed: boolean }
  /** The destination lacks chunks that were thought to be there; they are stored again. */
  | { readonly kind: 'missing'; readonly ids: number; readonly round: number }
  | { readonly kind: 'partial'; readonly snapshotId: Uint8Array; readonly sequence: number }
  | { readonly kind: 'chain'; readonly problem: ChainProblem; readonly snapshotId: Uint8Array }
  | { readonly kind: 'cache'; readonly problem: CacheProblem; readonly detail: string };

/**
 * `damaged`: it could not be read. `recovered`: there was none. `behind`: it is of an older snapshot, as after a run that was killed at its commit, or
 * when an old image was put back. In the last two cases the newest snapshot has filled it in.
 */
export type CacheProblem = 'damaged' | 'recovered' | 'behind';

/**
 * `fork`: two snapshots of this device follow the same one, as after an old image was put back or a machine was cloned. `lost`: the destination
 * lacks a snapshot that it had acknowledged; it is offered again. `foreign`: one bears this device's name and is not signed by it.
 */
export type ChainProblem = 'fork' | 'lost' | 'foreign';

export type BackupStats = {
  /** All that the snapshot holds. */
  readonly totals: Totals;
  /** Entries of changed directories that were opened or looked at anew: files, links, directories for their attributes. */
  readonly entriesRead: number;
  readonly bytesRead: number;
  /** Packs sent, with all their overhead. */
  readonly bytesStored: number;
  readonly packs: number;
  readonly directoriesMade: number;
  /** Entries left out. */
  readonly skipped: number;
  /** Those of them that are missing because they could not be read. */
  readonly unread: number;
  readonly rounds: number;
};

export type BackupResult =
  | {
      readonly kind: 'committed';
      readonly snapshotId: Uint8Array;
      readonly sequence: number;
      readonly receipt: Uint8Array | null;
      readonly stats: BackupStats;
    }
  /** Nothing changed since the newest snapshot of the chain. */
  | { readonly kind: 'current'; readonly at: number; readonly snapshotId: Uint8Array; readonly stats: BackupStats };
