import { deviceStatus } from '@holdfast/protocol/device-settings.ts';
import { operatingSystem } from '@holdfast/protocol/enrolment-routes.ts';
import type { Device } from '@holdfast/protocol/identity-routes.ts';
import { type Actor, append } from '../audit/audit.ts';
import type { AuthorityContext, AuthorityTransaction } from '../context.ts';
import { dropRequest } from '../key-requests/store.ts';
import type { AuthorityQueries, DeviceRow } from '../tables.ts';
import { SEEN_EVERY_MS } from './rules.ts';

export const findDevice = (queries: AuthorityQueries, id: string): Promise<DeviceRow | undefined> =>
  queries.selectFrom('devices').selectAll().where('id', '=', id).executeTakeFirst();

export const findDeviceByCredential = (queries: AuthorityQueries, hash: string): Promise<DeviceRow | undefined> =>
  queries.selectFrom('devices').selectAll().where('credential_hash', '=', hash).executeTakeFirst();

export async function touchDevice(context: AuthorityContext, device: DeviceRow): Promise<void> {
  const now = context.now();
  if (device.last_seen !== null && now - device.last_seen < SEEN_EVERY_MS) return;
  await context.database.kysely.updateTable('devices').set({ last_seen: now }).where('id', '=', device.id).execute();
}

/** Ends the device's credential; its line stays, so that its snapshots keep a name. Says whether it was there and active. */
export async function removeDevice(trx: AuthorityTransaction, id: string, actor: Actor, now: number): Promise<boolean> {
  const removed = await trx
    .updateTable('devices')
    .set({ removed: now })
    .where('id', '=', id)
    .where('removed', 'is', null)
    .returning('user')
    .executeTakeFirst();
  if (removed === undefined) return false;
  await dropRequest(trx, id);
  const details = { user: removed.user };
  await append(trx, { at: now, actor, action: 'device.removed', target: `device:${id}`, details });
  return true;
}

export const devicesOfUser = (queries: AuthorityQueries, user: string): Promise<DeviceRow[]> =>
  queries.selectFrom('devices').selectAll().where('user', '=', user).orderBy('enrolled').orderBy('id').execute();

/** Devices as the API shows them, by id, from after `after`. */
export async function listDevices(
  queries: AuthorityQueries,
  page: { after?: string | undefined; limit: number; user?: string | undefined },
): Promise<Device[]> {
  let query = queries
    .selectFrom('devices')
    .innerJoin('users', 'users.id', 'devices.user')
    .selectAll('devices')
    .select('users.username')
    .orderBy('devices.id')
    .limit(page.limit);
  if (page.after !== undefined) query = query.where('devices.id', '>', page.after);
  if (page.user !== undefined) query = query.where('devices.user', '=', page.user);
  const rows = await query.execute();
  return rows.map((row) => ({
    id: row.id,
    guid: row.guid,
    name: row.name,
    user: row.user,
    username: row.username,
    os: operatingSystem.parse(JSON.parse(row.os)),
    version: row.version,
    enrolled: row.enrolled,
    lastSeen: row.last_seen,
    removed: row.removed,
    status: row.status === null ? null : deviceStatus.parse(JSON.parse(row.status)),
  }));
}
