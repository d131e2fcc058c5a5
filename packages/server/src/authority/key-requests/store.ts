import type { KeyRequest } from '@holdfast/protocol/key-request-routes.ts';
import type { AuthorityTransaction } from '../context.ts';
import type { AuthorityQueries, KeyRequestRow } from '../tables.ts';

/** A request that has run out is as good as none. */
export const waitingRequest = (
  queries: AuthorityQueries,
  device: string,
  now: number,
): Promise<KeyRequestRow | undefined> =>
  queries
    .selectFrom('key_requests')
    .selectAll()
    .where('device', '=', device)
    .where('expires', '>', now)
    .executeTakeFirst();

/** Of the user's devices but `without`, the oldest first. */
export async function waitingRequests(
  queries: AuthorityQueries,
  { user, without, now }: { readonly user: string; readonly without: string; readonly now: number },
): Promise<KeyRequest[]> {
  const rows = await queries
    .selectFrom('key_requests')
    .innerJoin('devices', 'devices.id', 'key_requests.device')
    .selectAll('key_requests')
    .select(['devices.guid', 'devices.name', 'devices.public_key', 'devices.recipient as device_recipient'])
    .where('devices.user', '=', user)
    .where('devices.removed', 'is', null)
    .where('devices.id', '!=', without)
    .where('key_requests.expires', '>', now)
    .orderBy('key_requests.requested')
    .orderBy('devices.id')
    .execute();
  return rows.map((row) => ({
    device: {
      id: row.device,
      guid: row.guid,
      name: row.name,
      publicKey: row.public_key,
      recipient: row.device_recipient,
    },
    nonce: row.nonce,
    identity: { recipient: row.recipient, signingKey: row.signing_key },
    requested: row.requested,
    expires: row.expires,
  }));
}

/** In place of an earlier one of the device. */
export async function putRequest(trx: AuthorityTransaction, row: KeyRequestRow): Promise<void> {
  const { device, ...changes } = row;
  await trx
    .insertInto('key_requests')
    .values(row)
    .onConflict((c) => c.column('device').doUpdateSet(changes))
    .execute();
}

export async function dropRequest(queries: AuthorityQueries, device: string): Promise<void> {
  await queries.deleteFrom('key_requests').where('device', '=', device).execute();
}

export async function forgetEndedRequests(queries: AuthorityQueries, now: number): Promise<void> {
  await queries.deleteFrom('key_requests').where('expires', '<=', now).execute();
}
