/**
 * A *work* is done by us, and by the peers where a row compares; it gives *samples*, one a row and run. The table shows their
 * medians. Works are listed in works/registry.ts.
 */
import type { Figures, RowId } from './rows.ts';
import type { PeerName } from './sides/peers.ts';

export type Sample = Figures & { readonly row: RowId };

export type Bench = {
  /** What was given to back up: absolute paths; a work with `needsTree` gets at least one. */
  readonly trees: readonly string[];
  readonly peers: readonly PeerName[];
  /** The run's own, empty; removed when all runs of the work have ended, and nothing in it before (run-works.ts). */
  readonly folder: string;
  readonly wants: (row: RowId) => boolean;
  /** Shrinks what the works make; 1 is what the goals are meant for. */
  readonly scale: number;
  /** Where figures and plots of works that make some are kept. */
  readonly results: string;
  readonly say: (text: string) => void;
};

export type Work = {
  readonly name: string;
  readonly rows: readonly RowId[];
  readonly needsTree: boolean;
  /** Done as often as `--runs` says; others are exact, or long. */
  readonly repeats: boolean;
  /** Only when a row of it is asked for by name, or with this flag or `--all`. */
  readonly onlyFor: 'million' | 'growth' | null;
  run(bench: Bench): Promise<Sample[]>;
};

/** Never below `least`. */
export const scaled = ({ scale }: Pick<Bench, 'scale'>, full: number, least = 1): number =>
  Math.max(least, Math.round(full * scale));
