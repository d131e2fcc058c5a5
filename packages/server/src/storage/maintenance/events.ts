// What maintenance tells while it runs: for the command line, the log and the console.

export const JOBS = ['retention', 'collect', 'compact', 'verify', 'reconcile', 'resume'] as const;
export type JobName = (typeof JOBS)[number];

export type AlertKind =
  | 'reconcile_stopped'
  | 'packs_vanished'
  | 'packs_unknown_damaged'
  | 'packs_damaged'
  | 'snapshots_vanished'
  | 'objects_damaged'
  | 'chunks_lost'
  | 'collect_unsafe'
  | 'index_disagrees'
  | 'index_rebuilt';

type Of = { readonly job: JobName; readonly archive: string };

export type MaintenanceEvent = Of &
  (
    | { readonly kind: 'started' }
    /** `done` of `total` `unit`s; for verify also the rate in bytes a second. */
    | {
        readonly kind: 'progress';
        readonly step: string;
        readonly done: number;
        readonly total: number;
        readonly unit: string;
        readonly rate?: number;
      }
    /** Older sessions are still open; run it again later. */
    | { readonly kind: 'waiting'; readonly sessions: number }
    /** Another run is at it; an administrator has to allow it first; reconcile found too much. */
    | { readonly kind: 'skipped'; readonly why: 'busy' | 'held' | 'stopped' }
    | { readonly kind: 'alert'; readonly alert: AlertKind; readonly message: string; readonly data?: unknown }
    | { readonly kind: 'finished'; readonly result: Readonly<Record<string, number>> }
    | { readonly kind: 'failed'; readonly error: unknown }
  );

type WithoutOf<E> = E extends unknown ? Omit<E, keyof Of> : never;

/** An event without what the run adds. */
export type JobEvent = WithoutOf<MaintenanceEvent>;

export type OnEvent = (event: MaintenanceEvent) => void;
