import type { Due } from '../sets/schedule.ts';
import type { WaitReason } from './decide.ts';
import type { RunReport } from './run-report.ts';

/** What the service tells about itself: a line of its log each. */
export type DaemonEvent =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'stopped' }
  | {
      readonly kind: 'run';
      readonly set: string;
      readonly walk: Due['walk'];
      readonly because: Due['because'] | 'asked';
    }
  | { readonly kind: 'done'; readonly report: RunReport }
  | { readonly kind: 'failed'; readonly set: string; readonly code: string; readonly message: string }
  | { readonly kind: 'note'; readonly set: string; readonly text: string }
  | { readonly kind: 'waiting'; readonly why: WaitReason }
  | { readonly kind: 'back' }
  | { readonly kind: 'woke'; readonly sleptMs: number }
  | { readonly kind: 'watch'; readonly set: string; readonly state: string; readonly detail: string }
  /** Something beside the backups did not work: telling the server how we are, say. */
  | { readonly kind: 'trouble'; readonly what: string; readonly code: string; readonly message: string };
