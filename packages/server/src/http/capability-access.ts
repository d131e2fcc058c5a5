import type { CapabilityClaims, Right } from '@holdfast/protocol/capability.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { unknownAccess } from './app.ts';
import { bearerOf } from './bearer.ts';
import type { Authorize } from './register.ts';

/** Checks signature, times and shape of a capability; rejects with `capability_invalid` or `capability_expired`. */
export type VerifyCapability = (token: string) => Promise<CapabilityClaims>;

/** Where authority and storage share a process, a removed device is out at once and not when its capability ends. */
export type IsRevoked = (claims: CapabilityClaims) => Promise<boolean>;

/** Authorizes `capability:*` routes: the right right, for the archive that the path names. */
export function capabilityAuthorizer(verify: VerifyCapability, isRevoked: IsRevoked = async () => false): Authorize {
  return async (route, request) => {
    const right = rightOf(route.permission);
    const claims = await verify(bearerOf(request));
    const { archive } = request.params as { archive?: string };
    if (!claims.rights.includes(right))
      throw new ProtocolError('forbidden', { data: { permission: route.permission } });
    if (archive !== undefined && archive !== claims.archive) {
      throw new ProtocolError('forbidden', { message: 'The capability is for another archive.' });
    }
    if (await isRevoked(claims)) throw new ProtocolError('capability_revoked');
    return { kind: 'capability', claims };
  };
}

const rightOf = (access: string): Right =>
  access === 'capability:read' ? 'read' : access === 'capability:write' ? 'write' : unknownAccess(access);
