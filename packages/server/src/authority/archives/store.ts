import type { ArchiveInformation, DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { devicesOfUser } from '../devices/store.ts';
import type { ArchiveRow, AuthorityQueries } from '../tables.ts';

export const archiveOf = (queries: AuthorityQueries, user: string): Promise<ArchiveRow | undefined> =>
  queries.selectFrom('archives').selectAll().where('user', '=', user).executeTakeFirst();

export const describeArchive = (row: ArchiveRow | undefined): ArchiveInformation => ({
  id: row?.id ?? null,
  state: row?.state ?? 'missing',
  recipient: row?.recipient ?? null,
  signingKey: row?.signing_key ?? null,
  madeBy: row?.made_by ?? null,
});

/** Ids of the user's devices that were removed. */
export async function removedDevices(queries: AuthorityQueries, user: string): Promise<string[]> {
  const devices = await devicesOfUser(queries, user);
  return devices.filter(({ removed }) => removed !== null).map(({ id }) => id);
}

/** The removed devices that this identity was not kept from: whoever kept their keys holds it. */
export async function formerDevicesOf(
  queries: AuthorityQueries,
  archive: ArchiveRow | undefined,
): Promise<DeviceContext['formerDevices']> {
  if (archive === undefined) return [];
  const keptFrom = new Set(JSON.parse(archive.kept_from) as string[]);
  const devices = await devicesOfUser(queries, archive.user);
  return devices
    .filter(({ id, removed }) => removed !== null && !keptFrom.has(id))
    .map(({ id, name }) => ({ id, name }));
}
