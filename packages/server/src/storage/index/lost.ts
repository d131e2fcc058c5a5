// What is lost, and what stops being present with it (ARCHIVE §5.7).
//
// An id is *lost* when none of its locations is good. Every tree that reaches it over open links is *below* a loss: its
// own locations are fine, but a device that reused it would refer to what is not there. `lost_links` keeps why: one row
// per link from such a tree to a lost id or to another such tree. When an id comes back, its links go, and a tree without
// any left is present again.
//
//   markLost     locations turn out bad, in one transaction
//   spreading    maintenance/spread-loss.ts finds the trees above, in steps
//   heal         within the transaction that stores an id again
//
// An id that is *dangling* is only linked by trees that came without a row, as a crash leaves them. Nobody was told that they are stored,
// so it is no loss to anybody, unless a snapshot turns out to need it.

import { toHex } from '@holdfast/archive/format/ids.ts';
import { sql } from 'kysely';
import { countLoss } from './archives.ts';
import { type ChunkKey, elsewhere, setLost } from './chunks.ts';
import type { On } from './open-index.ts';
import { joinTo, prefixRecords, records } from './records.ts';
import { LOST } from './tables.ts';

const PREFIX_COLUMN = [['prefix', 'bytes']] as const;
const LINK_COLUMNS = [
  ['child', 'bytes'],
  ['parent', 'bytes'],
] as const;

export type LossReason = 'damaged' | 'missing' | 'reported' | 'dangling';
const DANGLING: LossReason = 'dangling';

/** Locations that are bad. Returns the prefixes of ids that are lost by it, and were not before. */
export async function markLost(
  on: On,
  archive: number,
  keys: readonly ChunkKey[],
  reason: LossReason,
  now: number,
): Promise<Uint8Array[]> {
  await setLost(on, archive, keys, LOST.self);
  const good = await elsewhere(
    on,
    archive,
    keys.map((key) => key.prefix),
  );
  const bad = keys.map((key) => key.prefix).filter((prefix) => !good.has(toHex(prefix)));
  return addLost(on, archive, bad, reason, now);
}

/** Locations in a pack that turn out to be good. */
export async function unmarkLost(
  on: On,
  archive: number,
  pack: number,
  prefixes: readonly Uint8Array[],
): Promise<void> {
  await sql`
    update chunks set lost = case
      when exists (select 1 from lost_links l where l.archive = ${archive} and l.parent = chunks.prefix)
        then ${sql.lit(LOST.below)} else 0 end
    where archive = ${archive} and pack = ${pack} and lost = ${LOST.self}
      and prefix in (select prefix from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(prefixes))})`.execute(
    on.db,
  );
  await heal(on, archive, prefixes);
}

/** Ids that are nowhere. Returns those that were not known to be lost. */
export async function addLost(
  on: On,
  archive: number,
  prefixes: readonly Uint8Array[],
  reason: LossReason,
  now: number,
): Promise<Uint8Array[]> {
  if (prefixes.length === 0) return [];
  const { rows } = await sql<{ prefix: Uint8Array }>`
    insert into lost (archive, prefix, since, reason, spread)
    select distinct cast(${archive} as bigint), r.prefix, cast(${now} as bigint), ${reason}, 0
    from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(prefixes))} where true
    on conflict (archive, prefix) do nothing
    returning prefix`.execute(on.db);
  await countLoss(on, archive);
  return rows.map((row) => row.prefix);
}

/** Lost ids whose trees were not looked for yet. */
export const unspreadLosses = async ({ db }: On, archive: number): Promise<Uint8Array[]> =>
  (await db.selectFrom('lost').select('prefix').where('archive', '=', archive).where('spread', '=', 0).execute()).map(
    (row) => row.prefix,
  );

export async function setSpread(on: On, archive: number, prefixes: readonly Uint8Array[]): Promise<void> {
  await sql`
    update lost set spread = 1 where archive = ${archive}
      and prefix in (select prefix from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(prefixes))})`.execute(
    on.db,
  );
}

/** Snapshots need what these led to: from now on what is dangling counts as missing. */
export async function missDangling({ db }: On, archive: number): Promise<void> {
  const missing: LossReason = 'missing';
  await db
    .updateTable('lost')
    .set({ reason: missing })
    .where('archive', '=', archive)
    .where('reason', '=', DANGLING)
    .execute();
}

/** Is anything lost that somebody may miss? In `archive`, or anywhere. */
export async function isAnythingMissed({ db }: On, archive: number | null): Promise<boolean> {
  const missed = db.selectFrom('lost').select('archive').where('reason', '<>', DANGLING).limit(1);
  const row = await (archive === null ? missed : missed.where('archive', '=', archive)).executeTakeFirst();
  return row !== undefined;
}

export type LossLink = { readonly child: Uint8Array; readonly parent: Uint8Array };

/**
 * Trees that reach a loss; they stop being present. A child that was stored again since it was found lost leads to nothing any more:
 * `heal` was there before its links, and would never come back for them. Links may build on each other in any order.
 */
export async function addLossLinks(on: On, archive: number, links: readonly LossLink[]): Promise<void> {
  for (let left = links; left.length > 0; ) {
    const children = left.map(({ child }) => child);
    const good = new Set((await onlyGood(on, archive, children)).map(toHex));
    const leading = left.filter(({ child }) => !good.has(toHex(child)));
    if (leading.length === 0) break;
    await insertLossLinks(on, archive, leading);
    left = left.filter(({ child }) => good.has(toHex(child)));
  }
  await countLoss(on, archive);
}

async function insertLossLinks(on: On, archive: number, links: readonly LossLink[]): Promise<void> {
  const json = JSON.stringify(links.map(({ child, parent }) => [toHex(child), toHex(parent)]));
  await sql`
    insert into lost_links (archive, child, parent)
    select cast(${archive} as bigint), r.child, r.parent from ${records(on.kind, 'r', LINK_COLUMNS, json)} where true
    on conflict (archive, child, parent) do nothing`.execute(on.db);
  await sql`
    update chunks set lost = ${LOST.below}
    where archive = ${archive} and lost = ${LOST.no}
      and prefix in (select parent from ${records(on.kind, 'r', LINK_COLUMNS, json)})`.execute(on.db);
}

export async function hasLosses({ db }: On, archive: number): Promise<boolean> {
  const row = await db.selectFrom('lost').select('prefix').where('archive', '=', archive).limit(1).executeTakeFirst();
  return row !== undefined;
}

/** These ids were stored again. Whoever reached no other loss is present again. */
export async function heal(on: On, archive: number, prefixes: readonly Uint8Array[]): Promise<void> {
  if (!(await hasLosses(on, archive))) return;
  const found = await sql<{ prefix: Uint8Array }>`
    delete from lost where archive = ${archive}
      and prefix in (select prefix from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(prefixes))})
    returning prefix`.execute(on.db);
  if (found.rows.length === 0) return;
  await countLoss(on, archive);
  let healed = found.rows.map((row) => row.prefix);
  while (healed.length > 0) healed = await freeParents(on, archive, await onlyGood(on, archive, healed));
}

/** Those with a location that neither is bad nor reaches a loss: a tree may be back and still lack something below. */
async function onlyGood(on: On, archive: number, prefixes: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const { rows } = await sql<{ prefix: Uint8Array }>`
    select distinct c.prefix from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(prefixes))}
    ${joinTo(on.kind)} chunks c on c.archive = ${archive} and c.prefix = r.prefix and c.lost = ${LOST.no}`.execute(
    on.db,
  );
  return rows.map((row) => row.prefix);
}

/** One level up: these children are good. Returns the trees that reach no loss any more. */
async function freeParents(on: On, archive: number, children: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const { rows } = await sql<{ parent: Uint8Array }>`
    delete from lost_links where archive = ${archive}
      and child in (select prefix from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(children))})
    returning parent`.execute(on.db);
  if (rows.length === 0) return [];
  const parents = prefixRecords(rows.map((row) => row.parent));
  const free = await sql<{ prefix: Uint8Array }>`
    select distinct r.prefix from ${records(on.kind, 'r', PREFIX_COLUMN, parents)}
    where not exists (select 1 from lost_links l where l.archive = ${archive} and l.parent = r.prefix)`.execute(on.db);
  const prefixes = free.rows.map((row) => row.prefix);
  await sql`
    update chunks set lost = ${LOST.no} where archive = ${archive} and lost = ${LOST.below}
      and prefix in (select prefix from ${records(on.kind, 'r', PREFIX_COLUMN, prefixRecords(prefixes))})`.execute(
    on.db,
  );
  return prefixes;
}

/** Forgets losses that no location and no tree refers to any more. */
export async function forgetLosses(on: On, archive: number): Promise<void> {
  if (!(await hasLosses(on, archive))) return;
  const without = (column: 'parent' | 'prefix', table: 'lost_links' | 'lost') =>
    sql`not exists (select 1 from chunks c where c.archive = ${archive} and c.prefix = ${sql.ref(`${table}.${column}`)})`;
  await sql`delete from lost_links where archive = ${archive} and ${without('parent', 'lost_links')}`.execute(on.db);
  await sql`
    delete from lost where archive = ${archive} and ${without('prefix', 'lost')}
      and not exists (select 1 from lost_links l where l.archive = ${archive} and l.child = lost.prefix)`.execute(
    on.db,
  );
}
