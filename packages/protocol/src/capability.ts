import { z } from 'zod';
import { hash32, id16, publicKey } from './schemas.ts';

/**
 * A capability is a signed, short-lived note from the authority that a storage server admits without asking anybody:
 * *this device may read (or write) this archive until then*. JWT, EdDSA.
 */

export const RIGHTS = ['read', 'write'] as const;
export type Right = (typeof RIGHTS)[number];

/** Long enough for a batch of requests, short enough that a removed device is out soon. */
export const CAPABILITY_LIFETIME_SECONDS = 600;

/** What it is for; decides the rights. `check` and `restore` read, `backup` reads and writes. */
export const purpose = z.enum(['backup', 'restore', 'check']);
export type CapabilityPurpose = z.infer<typeof purpose>;

export const rightsFor = (p: CapabilityPurpose): readonly Right[] => (p === 'backup' ? ['read', 'write'] : ['read']);

export const CAPABILITY_AUDIENCE = 'holdfast storage';

export const capabilityClaims = z.object({
  /** The authority that signed: its server id. */
  iss: id16,
  aud: z.literal(CAPABILITY_AUDIENCE),
  /** Device id. */
  sub: id16,
  /** The device's Ed25519 key: the storage checks snapshot signatures against it. */
  key: publicKey,
  archive: id16,
  destination: id16,
  /** User id. */
  user: id16,
  rights: z.array(z.enum(RIGHTS)).min(1),
  iat: z.int(),
  exp: z.int(),
  jti: id16,
  /** How many bytes may be read with it; absent means no limit. */
  bytes: z.int().positive().optional(),
});
export type CapabilityClaims = z.infer<typeof capabilityClaims>;

/** The public half of a capability signing key, as a storage server keeps it. */
export const capabilityKey = z.object({ kid: hash32, publicKey });
export type CapabilityKey = z.infer<typeof capabilityKey>;
