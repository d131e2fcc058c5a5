// Locations: where each chunk of an archive lies, clustered by id. One id may have several, in different packs.
//
// A location is *present* for a session unless it is lost, or condemned in an epoch up to the session's. A location that
// is condemned in a later epoch is still present for it: collection waits for the session before it deletes.

import { toHex } from '@holdfast/archive/format/ids.ts';
import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import { type RawBuilder, sql } from 'kysely';
import type { On } from './open-index.ts';
import { PREFIX_LENGTH, prefixOf } from './prefix.ts';
import { idRecords, joinedHex, joinTo, positionOf, prefixRecords, records } from './records.ts';
import { LOST, PACK_STATE } from './tables.ts';

export type ChunkKey = { readonly prefix: Uint8Array; readonly pack: number };

const PREFIX_COLUMN = [['prefix', 'bytes']] as const;
const KEY_COLUMNS = [
  ['prefix', 'bytes'],
  ['pack', 'integer'],
] as const;

const keyRecords = (keys: readonly ChunkKey[]): string =>
  JSON.stringify(keys.map(({ prefix, pack }) => [toHex(prefix), pack]));

/** At most so many rows in one statement of maintenance: some milliseconds on either database. */
export const BATCH = 512;

/** One byte an id, 1 for those with a location that passes; `ids` is n * 32 bytes. */
async function flagsOf(on: On, archive: number, ids: Uint8Array, passes: RawBuilder<unknown>): Promise<Uint8Array> {
  const flags = new Uint8Array(ids.length / 32);
  if (flags.length === 0) return flags;
  const { rows } = await sql<{ ord: number }>`
    select r.ord from ${records(on.kind, 'r', PREFIX_COLUMN, idRecords(ids))}
    where exists (
      select 1 from chunks c where c.archive = ${archive} and c.prefix = r.prefix and ${passes})`.execute(on.db);
  for (const { ord } of rows) flags[positionOf(on.kind, ord)] = 1;
  return flags;
}

/** Ids that are present for a session of this epoch. */
export const presentFlags = (on: On, archive: number, epoch: number, ids: Uint8Array): Promise<Uint8Array> =>
  flagsOf(on, archive, ids, sql`c.lost = 0 and (c.label = 0 or c.label > ${epoch})`);

/** Ids that are stored and neither lost nor above a loss, condemned or not. */
export const goodFlags = (on: On, archive: number, ids: Uint8Array): Promise<Uint8Array> =>
  flagsOf(on, archive, ids, sql`c.lost = 0`);

/** Prefixes that are present, ascending, after `after`; `last` is null when none follow. */
export async function presentPage(
  on: On,
  archive: number,
  epoch: number,
  after: Uint8Array,
  limit: number,
): Promise<{ readonly prefixes: Uint8Array; readonly last: Uint8Array | null }> {
  const { rows } = await sql<{ joined: string }>`
    select ${joinedHex(on.kind, 'prefix')} as joined from (
      select distinct prefix from chunks
      where archive = ${archive} and prefix > ${after} and lost = 0 and (label = 0 or label > ${epoch})
      order by prefix limit ${limit}) as page`.execute(on.db);
  const prefixes = Uint8Array.fromHex(rows[0]?.joined ?? '');
  const full = prefixes.length === limit * PREFIX_LENGTH;
  return { prefixes, last: full ? prefixes.subarray(-PREFIX_LENGTH) : null };
}

export type FoundLocation = {
  readonly packId: Uint8Array;
  readonly pack: number;
  readonly offset: number;
  readonly length: number;
  readonly kind: number;
  readonly lost: number;
};

type LocationRow = Omit<FoundLocation, 'packId'> & { id: Uint8Array; ord: number };

/**
 * For each id the location to read, whatever its label: one that is not known to be bad if there is one, of these the
 * oldest, so that what a device adds later under an id of others does not come before it.
 */
export async function locateChunks(on: On, archive: number, ids: Uint8Array): Promise<(FoundLocation | null)[]> {
  const found: (FoundLocation | null)[] = Array.from({ length: ids.length / 32 }, () => null);
  const { rows } = await sql<LocationRow>`
    select r.ord, c.pack, c."offset", c.length, c.kind, c.lost, p.id
    from ${records(on.kind, 'r', PREFIX_COLUMN, idRecords(ids))}
    ${joinTo(on.kind)} chunks c on c.archive = ${archive} and c.prefix = r.prefix
    ${joinTo(on.kind)} packs p on p.archive = c.archive and p.number = c.pack
    where p.state <> ${PACK_STATE.missing}`.execute(on.db);
  for (const { ord, id, ...location } of rows) {
    const at = positionOf(on.kind, ord);
    const best = found[at] ?? null;
    if (best === null || comesBefore(location, best)) found[at] = { ...location, packId: id };
  }
  return found;
}

const comesBefore = (a: Omit<FoundLocation, 'packId'>, b: FoundLocation): boolean => {
  const [badA, badB] = [a.lost === LOST.self, b.lost === LOST.self];
  return badA === badB ? a.pack < b.pack : badB;
};

/** One location an id and pack: a second frame of the same id in one pack would be found through the first. */
export function distinctFrames(frames: readonly PackedFrame[]): PackedFrame[] {
  const seen = new Set<string>();
  return frames.filter(({ entry }) => {
    const key = toHex(prefixOf(entry.id));
    return !seen.has(key) && seen.add(key);
  });
}

/** Bytes of these frames. */
export const contentOf = (frames: readonly PackedFrame[]): number =>
  frames.reduce((sum, frame) => sum + frame.length, 0);

const FRAME_COLUMNS = [
  ['prefix', 'bytes'],
  ['offset', 'integer'],
  ['length', 'integer'],
  ['kind', 'integer'],
] as const;

/**
 * Adds the locations of a pack whose bytes were just checked. One that is there becomes good and uncondemned; a tree that is
 * known to be above a loss stays so.
 */
export async function insertChunks(
  on: On,
  archive: number,
  pack: number,
  frames: readonly PackedFrame[],
): Promise<void> {
  if (frames.length === 0) return;
  const json = JSON.stringify(frames.map((f) => [toHex(prefixOf(f.entry.id)), f.offset, f.length, f.entry.kind]));
  await sql`
    insert into chunks (archive, prefix, pack, "offset", length, kind, lost, label)
    select cast(${archive} as bigint), r.prefix, cast(${pack} as bigint), r."offset", r.length, r.kind,
      case when exists (select 1 from lost_links l where l.archive = ${archive} and l.parent = r.prefix)
        then ${sql.lit(LOST.below)} else 0 end, 0
    from ${records(on.kind, 'r', FRAME_COLUMNS, json)} where true
    on conflict (archive, prefix, pack) do update set
 lost = excluded.lost, label = 0, "offset" = excluded."offset", length = excluded.length, kind = excluded.kind`.execute(
    on.db,
  );
}

export type ChunkAt = ChunkKey & { readonly kind: number; readonly label: number; readonly length: number };

/** Before every prefix. */
export const START: ChunkKey = { prefix: new Uint8Array(0), pack: 0 };

/** All locations in key order, `limit` after `after`. */
export const pageOfChunks = ({ db }: On, archive: number, after: ChunkKey, limit: number): Promise<ChunkAt[]> =>
  db
    .selectFrom('chunks')
    .select(['prefix', 'pack', 'kind', 'label', 'length'])
    .where('archive', '=', archive)
    .where(sql<boolean>`(prefix, pack) > (${after.prefix}, ${after.pack})`)
    .orderBy('prefix')
    .orderBy('pack')
    .limit(limit)
    .execute();

export type Filter = {
  /** Condemned in this epoch, or 0 for not condemned. */
  readonly label?: number;
  /** Only kinds with links. */
  readonly trees?: boolean;
  readonly packs?: readonly number[];
};

/** As above, but of the next `limit` locations only those that pass; `last` is null after the end. */
export async function sift(
  on: On,
  archive: number,
  after: ChunkKey,
  limit: number,
  filter: Filter,
): Promise<{ readonly rows: ChunkAt[]; readonly last: ChunkKey | null }> {
  const next = on.db
    .selectFrom('chunks')
    .where('archive', '=', archive)
    .where(sql<boolean>`(prefix, pack) > (${after.prefix}, ${after.pack})`);
  const last = await next
    .select(['prefix', 'pack'])
    .orderBy('prefix')
    .orderBy('pack')
    .offset(limit - 1)
    .limit(1)
    .executeTakeFirst();
  let query = next.select(['prefix', 'pack', 'kind', 'label', 'length']);
  if (last !== undefined) query = query.where(sql<boolean>`(prefix, pack) <= (${last.prefix}, ${last.pack})`);
  if (filter.label !== undefined) query = query.where('label', '=', filter.label);
  if (filter.trees) query = query.where('kind', 'in', TREE_KINDS);
  if (filter.packs) query = query.where('pack', 'in', filter.packs);
  return { rows: await query.execute(), last: last ?? null };
}

/** Kinds whose frames carry links (format §3.1). */
const TREE_KINDS = [4, 5, 6, 7, 9];

/** Condemns those of the locations that are not condemned yet; says how many. */
export async function condemn(on: On, archive: number, keys: readonly ChunkKey[], label: number): Promise<number> {
  const { numAffectedRows } = await sql`
    update chunks set label = ${label}
    where archive = ${archive} and label = 0
      and (prefix, pack) in (select prefix, pack from ${records(on.kind, 'r', KEY_COLUMNS, keyRecords(keys))})`.execute(
    on.db,
  );
  return Number(numAffectedRows ?? 0n);
}

/** Takes the label off every location of these ids that is condemned in an epoch above `above`. */
export async function uncondemn(on: On, archive: number, prefixes: Iterable<Uint8Array>, above = 0): Promise<number> {
  const { numAffectedRows } = await sql`
    update chunks set label = 0
    where archive = ${archive} and label > ${above}
      and prefix in (select prefix from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(prefixes))})`.execute(
    on.db,
  );
  return Number(numAffectedRows ?? 0n);
}

export async function clearLabels({ db }: On): Promise<void> {
  await db.updateTable('chunks').set({ label: 0 }).where('label', '>', 0).execute();
}

/** Deletes those of the locations that are still condemned in `label`, and counts them out of their packs. */
export async function deleteCondemned(
  on: On,
  archive: number,
  keys: readonly ChunkKey[],
  label: number,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  const { rows } = await sql<{ pack: number; length: number }>`
    delete from chunks
    where archive = ${archive} and label = ${label}
      and (prefix, pack) in (select prefix, pack from ${records(on.kind, 'r', KEY_COLUMNS, keyRecords(keys))})
    returning pack, length`.execute(on.db);
  await countOut(on, archive, rows);
  return { rows: rows.length, bytes: rows.reduce((sum, row) => sum + row.length, 0) };
}

/**
 * Deletes those of the locations that are bad and whose id lies elsewhere, good and not condemned, and counts them out of
 * their packs. Returns how many.
 */
export async function deleteSuperseded(on: On, archive: number, keys: readonly ChunkKey[]): Promise<number> {
  const { rows } = await sql<{ pack: number; length: number }>`
    delete from chunks
    where archive = ${archive} and lost = ${LOST.self}
      and (prefix, pack) in (select prefix, pack from ${records(on.kind, 'r', KEY_COLUMNS, keyRecords(keys))})
      and exists (
        select 1 from chunks g where g.archive = ${archive} and g.prefix = chunks.prefix
          and g.lost <> ${LOST.self} and g.label = 0)
    returning pack, length`.execute(on.db);
  await countOut(on, archive, rows);
  return rows.length;
}

/** Takes rows that are gone out of the counts of their packs. */
export async function countOut(
  on: On,
  archive: number,
  gone: readonly { pack: number; length: number }[],
): Promise<void> {
  for (const [pack, rows] of Map.groupBy(gone, (row) => row.pack)) {
    const bytes = rows.reduce((sum, row) => sum + row.length, 0);
    await on.db
      .updateTable('packs')
      .set((eb) => ({ rows: eb('rows', '-', rows.length), bytes: eb('bytes', '-', bytes) }))
      .where('archive', '=', archive)
      .where('number', '=', pack)
      .execute();
  }
}

export type RowOfPack = {
  readonly prefix: Uint8Array;
  readonly offset: number;
  readonly label: number;
  readonly lost: number;
};

/** Which of these frames of a pack have a row. */
export async function rowsOfPack(
  on: On,
  archive: number,
  pack: number,
  prefixes: Iterable<Uint8Array>,
): Promise<RowOfPack[]> {
  const { rows } = await sql<RowOfPack>`
    select c.prefix, c."offset", c.label, c.lost
    from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(prefixes))}
    ${joinTo(on.kind)} chunks c on c.archive = ${archive} and c.prefix = r.prefix and c.pack = ${pack}`.execute(on.db);
  return rows;
}

/** Which of these ids have a location that is not lost itself; as hex. */
export async function elsewhere(on: On, archive: number, prefixes: readonly Uint8Array[]): Promise<Set<string>> {
  const { rows } = await sql<{ prefix: Uint8Array }>`
    select distinct c.prefix
    from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(prefixes))}
    ${joinTo(on.kind)} chunks c on c.archive = ${archive} and c.prefix = r.prefix and c.lost <> ${LOST.self}`.execute(
    on.db,
  );
  return new Set(rows.map(({ prefix }) => toHex(prefix)));
}

export async function setLost(on: On, archive: number, keys: readonly ChunkKey[], lost: number): Promise<void> {
  await sql`
    update chunks set lost = ${lost}
    where archive = ${archive}
      and (prefix, pack) in (select prefix, pack from ${records(on.kind, 'r', KEY_COLUMNS, keyRecords(keys))})`.execute(
    on.db,
  );
}

/** What the index holds of an archive, for statistics. */
export async function countChunks({ db }: On, archive: number): Promise<number> {
  const { n } = await db
    .selectFrom('packs')
    .select((eb) => eb.fn.coalesce(eb.fn.sum<number>('rows'), eb.lit(0)).as('n'))
    .where('archive', '=', archive)
    .executeTakeFirstOrThrow();
  return Number(n);
}
