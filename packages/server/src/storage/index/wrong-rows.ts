// The rows of a pack, held against what its table says: one question and one row as the answer, however many frames there are.

import { sql } from 'kysely';
import type { On } from './open-index.ts';
import type { Places } from './places.ts';
import { joinTo, records } from './records.ts';

const PLACE_COLUMNS = [
  ['prefix', 'bytes'],
  ['offset', 'integer'],
] as const;

/** How many rows of a pack do not say what its table says: of another place, or of an id that is not in it. */
export async function countWrongRows(on: On, archive: number, pack: number, places: Places): Promise<number> {
  const { rows } = await sql<{ counted: number | null; found: number; fitting: number }>`
    select (select p.rows from packs p where p.archive = ${archive} and p.number = ${pack}) as counted,
      count(distinct c.prefix) as found,
      count(distinct case when c."offset" = r."offset" then c.prefix end) as fitting
    from ${records(on.kind, 'r', PLACE_COLUMNS, places)}
    ${joinTo(on.kind)} chunks c on c.archive = ${archive} and c.prefix = r.prefix and c.pack = ${pack}`.execute(on.db);
  const { counted, found, fitting } = rows[0] ?? { counted: null, found: 0, fitting: 0 };
  return counted === null ? 0 : found - fitting + Math.abs(counted - found);
}
