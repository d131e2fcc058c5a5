/**
 * What an administrator should look at, as `GET /health` and the metrics say it. A warning stands as long as what it says
 * is so and goes by itself. `docs/guide/install.md` lists the same codes.
 */

type Case = {
  /** The server does not do all of its work, or something that was stored is not whole. */
  readonly degrades?: true;
  readonly advice: string;
};

const CASES = {
  kit_missing: {
    degrades: true,
    advice: 'There is no recovery kit, so no dumps are made: run `holdfast-server kit new` on a terminal.',
  },
  kit_unconfirmed: {
    advice: 'Put the words and a copy of the recovery kit away, then run `holdfast-server kit confirm`.',
  },
  maintenance_held: {
    degrades: true,
    advice:
      'Retention and collection are off since a recovery or a reindex: look at the archives, then run `holdfast-server maintain --enable`.',
  },
  job_failed: {
    degrades: true,
    advice:
      'The last dump, renewal of the certificate or clean-up failed: the log says which and why. `holdfast-server dump` makes a dump now.',
  },
  chunks_lost: {
    degrades: true,
    advice:
      'Something that was stored is damaged or gone. Let every device back up: what it still has is stored again. What nobody has any more stays lost until the snapshots that need it are retired.',
  },
  snapshots_vanished: {
    degrades: true,
    advice:
      'Snapshots are gone from the store point: put them back from a copy of it, or run `holdfast-server reindex`.',
  },
  objects_damaged: {
    degrades: true,
    advice:
      'A key file, wrap, device list, snapshot or policy of an archive is damaged or gone: `holdfast-server maintain verify` names it. Let every device back up, which brings its newest snapshot again; put the rest back from a copy of the store point.',
  },
  index_disagrees: {
    degrades: true,
    advice: 'The index does not agree with the packs: run `holdfast-server reindex`.',
  },
  reconcile_stopped: {
    degrades: true,
    advice:
      'Store point and index differ too much, so nothing is collected: check that the right storage is mounted and whole, then run `holdfast-server reindex`.',
  },
  collect_unsafe: {
    degrades: true,
    advice:
      'Some folders in an archive cannot be read, so nothing is collected: run `holdfast-server maintain verify`, let every device back up once, then run `holdfast-server maintain collect`.',
  },
  maintenance_failed: {
    degrades: true,
    advice:
      'The last run of a maintenance job failed: the log says which and why. `holdfast-server maintain` runs them all now.',
  },
  storage_full: {
    degrades: true,
    advice: 'The disk of the store point or of the index is full, so devices wait: make space or add some.',
  },
  storage_unwritable: {
    degrades: true,
    advice:
      'The store point cannot be written, so devices wait: check that its disk is mounted, sound and ours to write.',
  },
  storage_unavailable: {
    degrades: true,
    advice: 'The index is being made ready, or it does not answer, so devices wait: the log says which.',
  },
} as const satisfies Record<string, Case>;

export type Warning = keyof typeof CASES;

/** What to do about each, in a sentence or two. */
export const WARNINGS = Object.fromEntries(Object.entries(CASES).map(([code, c]) => [code, c.advice])) as Readonly<
  Record<Warning, string>
>;

export const ALL_WARNINGS = Object.keys(CASES) as readonly Warning[];

export const isDegraded = (warnings: Iterable<Warning>): boolean => {
  for (const warning of warnings) if ((CASES[warning] as Case).degrades) return true;
  return false;
};
