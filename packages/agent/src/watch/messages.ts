import type { Exclusions } from '@holdfast/archive/source/source.ts';

/** What the watcher's thread is told and tells. Paths are latin1 text: every byte one character. */
export type Subscription = {
  readonly set: string;
  /** Numbers the subscriptions, so that what an old one still reports is told apart. */
  readonly number: number;
  readonly roots: readonly string[];
  readonly exclude: Exclusions;
};

export type ToThread =
  | { readonly kind: 'watch'; readonly subscription: Subscription }
  | { readonly kind: 'forget'; readonly set: string }
  | { readonly kind: 'probe'; readonly folder: string };

export type FromThread =
  | {
      readonly kind: 'watching';
      readonly set: string;
      readonly number: number;
      readonly folders: number;
      readonly closed: number;
    }
  | { readonly kind: 'changed'; readonly set: string; readonly number: number; readonly folders: readonly string[] }
  | { readonly kind: 'lost'; readonly set: string; readonly number: number; readonly why: Lost }
  /** The probe folder saw an event: the thread lives and hears. */
  | { readonly kind: 'alive' };

/**
 * Why a watch is no longer relied on. `burst`: so much happened at once that the system may have dropped some;
 * `limit`: it gives no more watches; `error`: anything else.
 */
export type Lost = { readonly kind: 'burst' | 'limit' | 'error'; readonly detail: string };
