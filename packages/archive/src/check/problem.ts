// What a check finds, as data: nothing here is thrown, since one damaged chunk must not hide another.

import type { ArchiveError } from '../errors.ts';

/** A chunk that a snapshot needs and that cannot be had, or is not what it should be. */
export type ChunkProblem = {
  readonly kind: /** No location is known. */
    | 'missing'
    /** It does not open, or opens to something else than its id promises. */
    | 'damaged'
    /** It opens, but to another kind of chunk than belongs there. */
    | 'wrongKind'
    /** It opens, but its content breaks the format: a tree that does not decode, a list of another length than its file. */
    | 'invalid'
    /** It opens, but is shorter than a file that is cut out of it says. */
    | 'short';
  readonly id: Uint8Array;
  readonly error: ArchiveError;
  /** The snapshots that need it. */
  readonly affected: readonly Affected[];
};

export type Affected = {
  readonly snapshotId: Uint8Array;
  /** Some of the paths that cannot be restored whole; a path of a directory stands for what is below it. */
  readonly paths: readonly Uint8Array[];
};

export type SnapshotProblem = {
  /** It does not pass the checks of format §6.1. Whether it was damaged, forged or signed by an unknown device, `error` says. */
  readonly kind: 'snapshot';
  /** The one that it is stored under. */
  readonly snapshotId: Uint8Array;
  readonly error: ArchiveError;
};

export type ChainProblem = {
  /**
   * `fork`: two snapshots of one chain continue from the same one, or claim the same number (an old image, a cloned machine).
   * `order`: a snapshot's number does not follow its parent's.
   */
  readonly kind: 'fork' | 'order';
  readonly snapshotIds: readonly Uint8Array[];
};

export type CheckProblem = ChunkProblem | SnapshotProblem | ChainProblem;

/** Damage stands out from what only deserves a look. */
export const isDamage = ({ kind }: CheckProblem): boolean => kind !== 'fork';
