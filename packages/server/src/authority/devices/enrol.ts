/**
 * Enrolment: a machine becomes a *device* of a *user* and gets a *credential*, a random token that never runs out by time.
 *
 *     registration key -> organization
 *     user name and password -> user (or a new user, where sign-up is open)
 *     a password for one time: the user's own takes its place, in the same transaction
 *     the user may use the backup app; the machine holds the key it names
 *     insert the device; the credential leaves the server once
 */

import type { enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { allows } from '@holdfast/protocol/permissions.ts';
import type { Body } from '@holdfast/protocol/route.ts';
import { hashToken } from '../../http/bearer.ts';
import { append } from '../audit/audit.ts';
import { type AuthorityContext, type AuthorityTransaction, inTransaction, newId } from '../context.ts';
import { organizationByKey } from '../organization/store.ts';
import { beginAttempt } from '../sign-in/attempts.ts';
import { prepareOwnPassword } from '../sign-in/own-password.ts';
import type { Passwords } from '../sign-in/passwords.ts';
import { CREDENTIAL_PREFIX, grantsOf, newToken } from '../sign-in/sessions.ts';
import { verifyCredentials } from '../sign-in/sign-in.ts';
import type { DeviceRow, OrganizationRow, UserRow } from '../tables.ts';
import { prepareUser, SYSTEM } from '../users/create.ts';
import { BACKUP_APP, newGuid, provesKey } from './rules.ts';

export type EnrolRequest = Body<(typeof enrolmentRoutes)['enrol']>;

export async function enrol(
  context: AuthorityContext,
  passwords: Passwords,
  request: EnrolRequest,
  address: string,
): Promise<{ device: DeviceRow; credential: string }> {
  const organization = await checkRegistrationKey(context, request.registrationKey, address);
  if (!provesKey(request)) throw new ProtocolError('invalid_request', { data: { issues: [{ at: '/device/proof' }] } });
  const userOf = await findOrPrepareUser(context, passwords, request, organization, address);
  const credential = newToken(CREDENTIAL_PREFIX, context);
  const device = await inTransaction(context, async (trx) => {
    const user = await userOf(trx);
    const grants = await grantsOf(trx, user.id);
    if (!allows(grants, BACKUP_APP)) throw new ProtocolError('forbidden', { data: { permission: BACKUP_APP } });
    return insertDevice(context, trx, user, request, credential);
  });
  return { device, credential };
}

/** Guessing keys counts against the address like guessing passwords does. */
async function checkRegistrationKey(context: AuthorityContext, key: string, address: string): Promise<OrganizationRow> {
  const attempt = await beginAttempt(context, null, address);
  const organization = await organizationByKey(context.database.kysely, key);
  await attempt.succeeded();
  return organization;
}

async function findOrPrepareUser(
  context: AuthorityContext,
  passwords: Passwords,
  { signUp, username, password, newPassword }: EnrolRequest,
  organization: OrganizationRow,
  address: string,
): Promise<(trx: AuthorityTransaction) => Promise<UserRow>> {
  if (signUp !== true) {
    const user = await verifyCredentials(context, passwords, { username, password, address });
    if (newPassword === undefined) {
      if (user.must_change_password === 1) throw new ProtocolError('password_change_required');
      return async () => user;
    }
    const replace = await prepareOwnPassword(context, passwords, user, { current: password, next: newPassword });
    return async (trx) => {
      await replace(trx);
      return user;
    };
  }
  if (organization.sign_up !== 1) throw new ProtocolError('sign_up_closed');
  const { insert } = await prepareUser(context, passwords, { organization: organization.id, username, password });
  return (trx) => insert(trx, SYSTEM);
}

async function insertDevice(
  context: AuthorityContext,
  trx: AuthorityTransaction,
  user: UserRow,
  { device: { name, os, version, publicKey, recipient } }: EnrolRequest,
  credential: string,
): Promise<DeviceRow> {
  const now = context.now();
  const row: DeviceRow = {
    id: newId(context),
    guid: newGuid(context.random),
    user: user.id,
    name,
    os: JSON.stringify(os),
    version,
    public_key: publicKey,
    recipient,
    credential_hash: hashToken(credential),
    enrolled: now,
    last_seen: now,
    removed: null,
    status: null,
  };
  await trx.insertInto('devices').values(row).execute();
  await append(trx, {
    at: now,
    actor: `user:${user.id}`,
    action: 'device.enrolled',
    target: `device:${row.id}`,
    details: { guid: row.guid, name, platform: os.platform },
  });
  return row;
}
