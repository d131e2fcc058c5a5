import type { On } from './open-index.ts';
import type { IndexTables } from './tables.ts';

const TABLES: readonly (keyof IndexTables)[] = [
  'point',
  'archives',
  'sessions',
  'packs',
  'chunks',
  'incoming',
  'snapshots',
  'lost',
  'lost_links',
  'collections',
  'jobs',
  'troubles',
  'objects',
];

/** Forgets everything: it is about to be made anew from the store point. */
export async function emptyIndex({ db }: On): Promise<void> {
  for (const table of TABLES) await db.deleteFrom(table).execute();
}
