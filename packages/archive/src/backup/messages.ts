/** What the main thread and its workers say to each other. */
import type { ArchiveErrorCode, ArchiveErrorData } from '../errors.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import type { SourceModule, SourceOptions } from '../source/source.ts';
import type { FilledPack, LoosePack } from './pack-filler.ts';
import type { PlanMemory } from './shared.ts';

/** Given to a worker at its start, for all runs that it serves. */
export type WorkerData = { readonly sourceModule: SourceModule | null };

/** What belongs to one run. */
export type RunData = {
  readonly keys: ArchiveKeys;
  readonly sourceOptions: SourceOptions;
  readonly fingerprints: SharedArrayBuffer;
  /** See `CpuShare`. */
  readonly share: SharedArrayBuffer;
};

export type ToWorker =
  | { readonly kind: 'begin'; readonly run: RunData }
  /** Nothing of the run is kept. */
  | { readonly kind: 'end' }
  /** The thread ends. */
  | { readonly kind: 'close' }
  /** Directories to be looked at: sized paths, one after the other. */
  | { readonly kind: 'walk'; readonly count: number; readonly paths: Uint8Array }
  | {
      readonly kind: 'jobs';
      readonly plan: PlanMemory;
      readonly controls: SharedArrayBuffer;
      readonly claims: SharedArrayBuffer;
      readonly files: SharedArrayBuffer;
    }
  /** The memory of a pack that was sent: to be filled again. */
  | { readonly kind: 'memory'; readonly memory: ArrayBuffer };

export type FromWorker =
  | { readonly kind: 'walked'; readonly reports: Uint8Array }
  /** `bound`: see pack-filler.ts. */
  | { readonly kind: 'job'; readonly job: number; readonly report: Uint8Array; readonly bound: number }
  | { readonly kind: 'pack'; readonly pack: FilledPack; readonly bound: number }
  /** No job is left for this worker; what its last pack would have held. */
  | { readonly kind: 'idle'; readonly loose: LoosePack | null }
  | { readonly kind: 'stopped' }
  /** `error` is an Error, or an ArchiveError as data. */
  | { readonly kind: 'failed'; readonly error: Error | PortableError };

export type PortableError = {
  readonly code: ArchiveErrorCode;
  readonly data: ArchiveErrorData;
  readonly reason: string;
};
