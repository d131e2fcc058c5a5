import { createPublicKey, verify } from 'node:crypto';
import type { CapabilityPurpose } from '@holdfast/protocol/capability.ts';
import { enrolmentProof } from '@holdfast/protocol/enrolment-routes.ts';
import type { ProtocolCode } from '@holdfast/protocol/errors.ts';
import { allows, type PermissionId } from '@holdfast/protocol/permissions.ts';
import type { ArchiveRow, UserRow } from '../tables.ts';

/** Using the backup app, to back up and to restore. */
export const BACKUP_APP: PermissionId = 'cpd.login';

const LEAST_GUID = 10n ** 17n;
const GUID_BITS = 63;

/** The number people read to each other: 18 or 19 digits, below 2^63. */
export function newGuid(random: (bytes: number) => Uint8Array): string {
  for (;;) {
    const number = BigInt.asUintN(GUID_BITS, Buffer.from(random(8)).readBigUInt64BE());
    if (number >= LEAST_GUID) return number.toString();
  }
}

/** Whether whoever enrols holds the private half of the key that they name. */
export function provesKey(enrolment: {
  readonly registrationKey: string;
  readonly username: string;
  readonly device: { readonly publicKey: string; readonly recipient: string; readonly proof: string };
}): boolean {
  const { publicKey, recipient, proof } = enrolment.device;
  const x = Buffer.from(publicKey, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const message = enrolmentProof(enrolment.registrationKey, enrolment.username, recipient);
  return verify(null, message, key, Buffer.from(proof, 'hex'));
}

export type Refusal = { readonly code: ProtocolCode; readonly data?: Record<string, unknown> };

/**
 * Why a device gets no capability, `null` when it gets one. A blocked user's backups go on: what is lost while somebody
 * is locked out is lost for good. While the first device prepares the archive no other may touch it.
 */
export function refuseCapability(request: {
  readonly purpose: CapabilityPurpose;
  readonly deviceId: string;
  readonly user: Pick<UserRow, 'state'>;
  readonly grants: readonly PermissionId[];
  readonly archive: Pick<ArchiveRow, 'state' | 'made_by'> | undefined;
}): Refusal | null {
  const { purpose, deviceId, user, grants, archive } = request;
  if (!allows(grants, BACKUP_APP)) return { code: 'forbidden', data: { permission: BACKUP_APP } };
  if (user.state === 'blocked' && purpose !== 'backup') return { code: 'user_blocked' };
  if (archive === undefined) return { code: 'archive_missing' };
  if (archive.state === 'preparing' && archive.made_by !== deviceId) return { code: 'archive_not_ready' };
  return null;
}

/** `last_seen` is not written at every request. */
export const SEEN_EVERY_MS = 60_000;
