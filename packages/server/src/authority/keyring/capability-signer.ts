import { randomBytes } from 'node:crypto';
import {
  CAPABILITY_AUDIENCE,
  CAPABILITY_LIFETIME_SECONDS,
  type CapabilityClaims,
  type CapabilityPurpose,
  capabilityClaims,
  rightsFor,
} from '@holdfast/protocol/capability.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { errors, jwtVerify, SignJWT } from 'jose';
import { keyIdOf, publicKeyObject, type SigningKey } from './signing-key.ts';

/** Capabilities, signed and verified (protocol/capability.ts). */

export type CapabilityRequest = {
  readonly issuer: string;
  readonly device: { readonly id: string; readonly publicKey: string };
  readonly archive: string;
  readonly destination: string;
  readonly user: string;
  readonly purpose: CapabilityPurpose;
};

export async function signCapability(
  key: SigningKey,
  request: CapabilityRequest,
  now: number,
): Promise<{ token: string; expires: number }> {
  const iat = Math.floor(now / 1000);
  const exp = iat + CAPABILITY_LIFETIME_SECONDS;
  const claims: CapabilityClaims = {
    iss: request.issuer,
    aud: CAPABILITY_AUDIENCE,
    sub: request.device.id,
    key: request.device.publicKey,
    archive: request.archive,
    destination: request.destination,
    user: request.user,
    rights: [...rightsFor(request.purpose)],
    iat,
    exp,
    jti: randomBytes(16).toString('hex'),
  };
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: keyIdOf(key.publicKey) })
    .sign(key.key);
  return { token, expires: exp * 1000 };
}

/** How far the clocks of two servers may be apart. */
const CLOCK_TOLERANCE_SECONDS = 30;

/** A verifier that needs nothing but the authority's public key. */
export function capabilityVerifier(
  authority: { readonly serverId: string; readonly publicKey: string },
  now: () => number,
): (token: string) => Promise<CapabilityClaims> {
  const key = publicKeyObject(authority.publicKey);
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['EdDSA'],
        issuer: authority.serverId,
        audience: CAPABILITY_AUDIENCE,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(now()),
        requiredClaims: ['exp', 'iat'],
      });
      return capabilityClaims.parse(payload);
    } catch (cause) {
      throw new ProtocolError(cause instanceof errors.JWTExpired ? 'capability_expired' : 'capability_invalid', {
        cause,
      });
    }
  };
}
