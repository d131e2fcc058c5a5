import type { CapabilityClaims, CapabilityPurpose } from '@holdfast/protocol/capability.ts';
import { CAPABILITY_LIFETIME_SECONDS } from '@holdfast/protocol/capability.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { DevicePrincipal } from '../../http/principal.ts';
import { archiveOf } from '../archives/store.ts';
import { append } from '../audit/audit.ts';
import { type AuthorityContext, inTransaction } from '../context.ts';
import { type CapabilityRequest, signCapability } from '../keyring/capability-signer.ts';
import type { SigningKey } from '../keyring/signing-key.ts';
import { grantsOf } from '../sign-in/sessions.ts';
import { findUser } from '../users/store.ts';
import { destinations } from './device-context.ts';
import { refuseCapability } from './rules.ts';
import { findDevice } from './store.ts';

const RENEW_AFTER_SECONDS = CAPABILITY_LIFETIME_SECONDS / 2;

export type CapabilityIssuer = { readonly serverId: string; readonly key: SigningKey };

/** A capability for the archive of the device's user, or the reason why not. */
export async function issueCapability(
  context: AuthorityContext,
  issuer: CapabilityIssuer,
  { deviceId, userId }: DevicePrincipal,
  request: { readonly purpose: CapabilityPurpose; readonly destination?: string | undefined },
) {
  const { kysely } = context.database;
  const [device, user, archive] = await Promise.all([
    findDevice(kysely, deviceId),
    findUser(kysely, userId),
    archiveOf(kysely, userId),
  ]);
  if (device === undefined || user === undefined) throw new ProtocolError('unauthenticated');
  const { purpose } = request;
  const grants = await grantsOf(kysely, userId);
  const refusal = refuseCapability({ purpose, deviceId, user, grants, archive });
  if (refusal?.code === 'forbidden' || refusal?.code === 'user_blocked') {
    await noteRefusal(context, deviceId, purpose, refusal.code);
  }
  if (refusal !== null) throw new ProtocolError(refusal.code, { data: refusal.data });
  if (archive === undefined) throw new ProtocolError('archive_missing');

  const all = await destinations(kysely);
  const destination = request.destination === undefined ? all[0] : all.find((d) => d.id === request.destination);
  if (destination === undefined) throw new ProtocolError('not_found', { message: 'There is no such destination.' });
  const claims: CapabilityRequest = {
    issuer: issuer.serverId,
    device: { id: deviceId, publicKey: device.public_key },
    archive: archive.id,
    destination: destination.id,
    user: userId,
    purpose,
  };
  const { token, expires } = await signCapability(issuer.key, claims, context.now());
  return { token, archive: archive.id, expires, renewAfter: RENEW_AFTER_SECONDS, destination };
}

const noteRefusal = (context: AuthorityContext, deviceId: string, purpose: string, code: string): Promise<void> =>
  inTransaction(context, (trx) =>
    append(trx, {
      at: context.now(),
      actor: `device:${deviceId}`,
      action: 'capability.refused',
      details: { purpose, code },
    }),
  );

/** For storage in the same process: a removed device is out before its capability ends. */
export async function isRevoked(context: AuthorityContext, claims: CapabilityClaims): Promise<boolean> {
  const device = await findDevice(context.database.kysely, claims.sub);
  return device === undefined || device.removed !== null;
}
