// Locations that lead into another pack from now on, where the same frames lie (ARCHIVE §5.3).

import { toHex } from '@holdfast/archive/format/ids.ts';
import { type RawBuilder, sql } from 'kysely';
import { countOut } from './chunks.ts';
import type { On } from './open-index.ts';
import { joinTo, prefixRecords, records } from './records.ts';
import { LOST } from './tables.ts';

export type Move = { readonly prefix: Uint8Array; readonly from: number; readonly offset: number };

const PREFIX_COLUMN = [['prefix', 'bytes']] as const;
const MOVE_COLUMNS = [
  ['prefix', 'bytes'],
  ['from', 'integer'],
  ['offset', 'integer'],
] as const;

/**
 * Lets locations lead into the pack `to` instead, with the label and loss they have now. Those whose row is gone meanwhile
 * stay gone. No id may come into one pack from two others: their labels may differ. Where `to` has the id already, which is
 * the same frame, the better of the two rows stays, so that the id is present for exactly the sessions for which it was.
 */
export async function moveChunks(on: On, archive: number, to: number, moves: readonly Move[]): Promise<void> {
  const json = JSON.stringify(moves.map(({ prefix, from, offset }) => [toHex(prefix), from, offset]));
  const before = await countAt(on, archive, to, moves);
  await sql`
    insert into chunks (archive, prefix, pack, "offset", length, kind, lost, label)
    select c.archive, c.prefix, cast(${to} as bigint), r."offset", c.length, c.kind, c.lost, c.label
    from ${records(on.kind, 'r', MOVE_COLUMNS, json)}
    ${joinTo(on.kind)} chunks c on c.archive = ${archive} and c.prefix = r.prefix and c.pack = r."from"
    where true
    on conflict (archive, prefix, pack) do update set lost = excluded.lost, label = excluded.label
    where ${worth('excluded')} < ${worth('chunks')}`.execute(on.db);
  const { rows: gone } = await sql<{ pack: number; length: number }>`
    delete from chunks
    where archive = ${archive}
      and (prefix, pack) in (select prefix, "from" from ${records(on.kind, 'r', MOVE_COLUMNS, json)})
    returning pack, length`.execute(on.db);
  await countOut(on, archive, gone);
  const after = await countAt(on, archive, to, moves);
  await on.db
    .updateTable('packs')
    .set((eb) => ({ rows: eb('rows', '+', after.n - before.n), bytes: eb('bytes', '+', after.bytes - before.bytes) }))
    .where('archive', '=', archive)
    .where('number', '=', to)
    .execute();
}

/** The less, the better: first not bad itself, then not above a loss, then condemned for as few sessions as may be. */
const worth = (table: 'excluded' | 'chunks'): RawBuilder<unknown> => {
  const lost = sql.ref(`${table}.lost`);
  const label = sql.ref(`${table}.label`);
  return sql`(case ${lost} when ${sql.lit(LOST.no)} then 0 when ${sql.lit(LOST.below)} then 1 else 2 end,
    case ${label} when 0 then 0 else 1 end, -${label})`;
};

/** How many of these ids have a row in the pack, and the bytes of their frames. */
async function countAt(on: On, archive: number, pack: number, moves: readonly Move[]) {
  const { rows } = await sql<{ n: number; bytes: number }>`
    select count(*) as n, coalesce(sum(c.length), 0) as bytes
    from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(moves.map((m) => m.prefix)))}
    ${joinTo(on.kind)} chunks c on c.archive = ${archive} and c.prefix = r.prefix and c.pack = ${pack}`.execute(on.db);
  const { n, bytes } = rows[0] ?? { n: 0, bytes: 0 };
  return { n: Number(n), bytes: Number(bytes) };
}
