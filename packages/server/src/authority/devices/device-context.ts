import type { Destination, DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { archiveOf, describeArchive, formerDevicesOf } from '../archives/store.ts';
import type { AuthorityQueries, DeviceRow } from '../tables.ts';
import { findUser } from '../users/store.ts';

export type ServerFacts = DeviceContext['server'];

export async function destinations(queries: AuthorityQueries): Promise<Destination[]> {
  const rows = await queries.selectFrom('destinations').selectAll().orderBy('created').orderBy('id').execute();
  return rows.map(({ id, name, storage }) => ({ id, name, storage: JSON.parse(storage) as string[] }));
}

/** Everything a device needs to know about itself and its server. */
export async function deviceContextOf(
  queries: AuthorityQueries,
  server: ServerFacts,
  device: DeviceRow,
): Promise<DeviceContext> {
  const user = await findUser(queries, device.user);
  if (user === undefined) throw new ProtocolError('unauthenticated');
  const organization = await queries
    .selectFrom('organizations')
    .select(['id', 'name'])
    .where('id', '=', user.organization)
    .executeTakeFirstOrThrow();
  const archive = await archiveOf(queries, user.id);
  return {
    device: { id: device.id, guid: device.guid, name: device.name },
    user: {
      id: user.id,
      username: user.username,
      keyLevel: user.key_level,
      mustChangePassword: user.must_change_password === 1,
    },
    organization,
    archive: describeArchive(archive),
    formerDevices: await formerDevicesOf(queries, archive),
    destinations: await destinations(queries),
    server,
  };
}
