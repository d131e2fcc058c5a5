// Lists as one parameter. The text of a query then never depends on how many ids it asks for, so it stays prepared, and a
// list crosses to the thread of the index as one string.

import { toHex } from '@holdfast/archive/format/ids.ts';
import { type RawBuilder, sql } from 'kysely';
import { PREFIX_LENGTH, prefixOf } from './prefix.ts';
import type { IndexTables, Kind } from './tables.ts';

/** The column's value in a record: bytes as hex, or a whole number. */
export type Column = readonly [name: string, type: 'bytes' | 'integer'];

/**
 * A source for `from`: one row a record, with the columns and `ord`, the record's position. `json` is an array of arrays.
 * `name` is how the query calls it.
 */
export function records(kind: Kind, name: string, columns: readonly Column[], json: string): RawBuilder<unknown> {
  const fields = columns.map(([column, type], i) => sql`${field(kind, type, i)} as ${sql.ref(column)}`);
  return kind === 'sqlite'
    ? sql`(select key as ord, ${sql.join(fields)} from json_each(${json})) as ${sql.ref(name)}`
    : sql`(select ord, ${sql.join(fields)} from json_array_elements(${json}::json) with ordinality as t(value, ord)) as ${sql.ref(name)}`;
}

function field(kind: Kind, type: Column[1], position: number): RawBuilder<unknown> {
  const raw = sql`value ->> ${sql.lit(position)}`;
  if (kind === 'sqlite') return type === 'bytes' ? sql`unhex(${raw})` : sql`cast(${raw} as integer)`;
  return type === 'bytes' ? sql`decode(${raw}, 'hex')` : sql`(${raw})::bigint`;
}

/** `ord` counts from 0 on SQLite, from 1 on PostgreSQL. */
export const positionOf = (kind: Kind, ord: number): number => (kind === 'sqlite' ? ord : ord - 1);

const ID_LENGTH = 32;

/** The prefixes of `n * 32` bytes of ids as records of one column. */
export function idRecords(ids: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < ids.length; at += ID_LENGTH) parts.push(`["${toHex(ids.subarray(at, at + PREFIX_LENGTH))}"]`);
  return `[${parts.join(',')}]`;
}

/** The same for prefixes one by one. */
export const prefixRecords = (prefixes: Iterable<Uint8Array>): string =>
  JSON.stringify(Array.from(prefixes, (prefix) => [toHex(prefixOf(prefix))]));

/** All values of a bytes column, ascending, as one hex text. */
export const joinedHex = (kind: Kind, column: keyof IndexTables['chunks']): RawBuilder<string> =>
  kind === 'sqlite'
    ? sql<string>`coalesce(group_concat(hex(${sql.ref(column)}), '' order by ${sql.ref(column)}), '')`
    : sql<string>`coalesce(encode(string_agg(${sql.ref(column)}, ''::bytea order by ${sql.ref(column)}), 'hex'), '')`;

/**
 * Joins a table to records: one search in it for each record. Without the order that `cross join` prescribes SQLite goes
 * through all rows of an archive, and through all records for each.
 */
export const joinTo = (kind: Kind): RawBuilder<unknown> => (kind === 'sqlite' ? sql`cross join` : sql`join`);
