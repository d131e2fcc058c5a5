import type { CapabilityClaims } from '@holdfast/protocol/capability.ts';
import type { PermissionId } from '@holdfast/protocol/permissions.ts';
import type { Access, Route } from '@holdfast/protocol/route.ts';

/** Who makes a request, as far as its route had to find out. */
export type Nobody = { readonly kind: 'nobody' };

/** A caller on the machine itself, on a route that lets those in. */
export type Local = { readonly kind: 'local' };

export type UserPrincipal = {
  readonly kind: 'user';
  readonly userId: string;
  readonly username: string;
  readonly grants: readonly PermissionId[];
  /** Hash of the session token: names the session without being one. */
  readonly session: string;
  readonly expires: number;
};

export type DevicePrincipal = {
  readonly kind: 'device';
  readonly deviceId: string;
  readonly userId: string;
};

export type CapabilityPrincipal = { readonly kind: 'capability'; readonly claims: CapabilityClaims };

export type Principal = Nobody | Local | UserPrincipal | DevicePrincipal | CapabilityPrincipal;

/** What a handler of a route with this access gets to see. */
export type PrincipalOf<R extends Route> = R extends { loopback: true }
  ? Local | UserPrincipal
  : PrincipalForAccess<R['permission']>;

type PrincipalForAccess<A extends Access> = A extends 'public'
  ? Nobody
  : A extends 'device'
    ? DevicePrincipal
    : A extends `capability:${string}`
      ? CapabilityPrincipal
      : UserPrincipal;
