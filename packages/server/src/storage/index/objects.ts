// What the bytes of small objects were when they were stored or first seen. A server has no key to judge sealed bytes and MACs by;
// that they are still the same it can tell.

import { createHash } from 'node:crypto';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { archivePrefix } from '@holdfast/archive/store/layout.ts';
import type { On } from './open-index.ts';

const placeOf = (archiveId: Uint8Array, name: string): string => name.slice(archivePrefix(archiveId).length);

type Place = { readonly number: number; readonly id: Uint8Array };

export const hashOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

/** For an object that is seen for the first time; whoever stores it knows better. */
export async function noteIfNew({ db }: On, archive: Place, name: string, bytes: Uint8Array): Promise<void> {
  const row = { archive: archive.number, name: placeOf(archive.id, name), hash: hashOf(bytes) };
  await db
    .insertInto('objects')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** For who stores it. `name` as in format §7, whole. */
export async function noteObject({ db }: On, archive: Place, name: string, bytes: Uint8Array): Promise<void> {
  const row = { archive: archive.number, name: placeOf(archive.id, name), hash: hashOf(bytes) };
  await db
    .insertInto('objects')
    .values(row)
    .onConflict((conflict) => conflict.columns(['archive', 'name']).doUpdateSet({ hash: row.hash }))
    .execute();
}

export async function forgetObject({ db }: On, archive: Place, name: string): Promise<void> {
  await db
    .deleteFrom('objects')
    .where('archive', '=', archive.number)
    .where('name', '=', placeOf(archive.id, name))
    .execute();
}

export async function notedHash({ db }: On, archive: Place, name: string): Promise<Uint8Array | null> {
  const row = await db
    .selectFrom('objects')
    .select('hash')
    .where('archive', '=', archive.number)
    .where('name', '=', placeOf(archive.id, name))
    .executeTakeFirst();
  return row?.hash ?? null;
}

/** Hashes in hex by whole name. */
export async function notedObjects({ db }: On, archive: Place): Promise<Map<string, string>> {
  const rows = await db.selectFrom('objects').select(['name', 'hash']).where('archive', '=', archive.number).execute();
  return new Map(rows.map(({ name, hash }) => [archivePrefix(archive.id) + name, toHex(hash)]));
}
