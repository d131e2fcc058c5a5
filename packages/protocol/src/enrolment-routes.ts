import { z } from 'zod';
import { route } from './route.ts';
import { hash32, hex, id16, keyLevel, password, publicKey, recipient, storable, text } from './schemas.ts';

/** What a program may know and do before it has any credential. */

export const health = z.object({
  status: z.enum(['ok', 'degraded']),
  version: z.string(),
  serverId: id16,
  /** What an administrator should look at, by the codes of warnings.ts. Nothing secret: anybody can read it. */
  warnings: z.array(z.string()),
});

export const enrolmentInformation = z.object({
  serverId: id16,
  version: z.string(),
  /** PEM. Trust it only when its SHA-256 equals the fingerprint of the enrolment string. */
  caCertificate: z.string(),
  caFingerprint: hash32,
  apiPort: z.int(),
});
export type EnrolmentInformation = z.infer<typeof enrolmentInformation>;

export const operatingSystem = z.object({
  /** As Node names it: linux, darwin, win32. */
  platform: text(32),
  release: text(128),
  arch: text(32),
});

export const archiveState = z.enum(['missing', 'preparing', 'ready']);

export const archiveInformation = z.object({
  /** null while `missing`. */
  id: id16.nullable(),
  state: archiveState,
  /** The user's public identity (format §2.2), null while `missing`. */
  recipient: recipient.nullable(),
  signingKey: publicKey.nullable(),
  /** The device that makes or made it. */
  madeBy: id16.nullable(),
});
export type ArchiveInformation = z.infer<typeof archiveInformation>;

export const destination = z.object({
  id: id16,
  name: z.string(),
  /** Where its storage servers are; a path is meant relative to the authority's own address. */
  storage: z.array(z.string()).min(1),
});
export type Destination = z.infer<typeof destination>;

export const serverInformation = z.object({
  id: id16,
  version: z.string(),
  /** Signs receipts and tombstones (format §6.2, §6.3). */
  receiptKey: publicKey,
  /** Identities of level `account` are wrapped to it (format §2.5). */
  escrowRecipient: recipient,
});

/** Everything a device needs to know about itself and its server. */
export const deviceContext = z.object({
  device: z.object({
    id: id16,
    /** The number people read to each other: 18 or 19 digits. */
    guid: z.string().regex(/^\d{18,19}$/),
    name: z.string(),
  }),
  user: z.object({ id: id16, username: z.string(), keyLevel, mustChangePassword: z.boolean() }),
  organization: z.object({ id: id16, name: z.string() }),
  archive: archiveInformation,
  /** Removed since the present identity was made: whoever kept their keys holds it, until it is renewed. */
  formerDevices: z.array(z.object({ id: id16, name: z.string() })),
  destinations: z.array(destination),
  server: serverInformation,
});
export type DeviceContext = z.infer<typeof deviceContext>;

export const deviceDescription = z.object({
  name: text(255),
  os: operatingSystem,
  /** Version of the agent. */
  version: text(64),
});

export const enrolmentRoutes = {
  health: route({
    method: 'GET',
    path: '/health',
    permission: 'public',
    summary: 'Tell whether the server works.',
    response: health,
    errors: [],
  }),
  enrolment: route({
    method: 'GET',
    path: '/api/v1/enrolment',
    permission: 'public',
    summary: 'Fetch the CA certificate that the enrolment string pins.',
    response: enrolmentInformation,
    errors: [],
  }),
  enrol: route({
    method: 'POST',
    path: '/api/v1/enrol',
    permission: 'public',
    summary: 'Make this machine a device of a user; the answer holds its credential.',
    body: z.object({
      registrationKey: storable(64),
      username: text(255),
      password,
      /** A password of the user's own, which takes the place of `password`; owed where that one is for one time. */
      newPassword: password.optional(),
      /** Make the user too, where the organization allows it. */
      signUp: z.boolean().optional(),
      device: deviceDescription.extend({
        publicKey,
        recipient,
        /** Ed25519 over `holdfast enrol 1\0 || registration key || user name || recipient`: the device holds the key it names. */
        proof: hex(64),
      }),
    }),
    response: deviceContext.extend({
      /** Sent as `Authorization: Bearer`. Shown once, kept by the device, never runs out by time. */
      credential: z.string(),
    }),
    errors: [
      'registration_key_invalid',
      'sign_in_failed',
      'password_change_required',
      'user_blocked',
      'sign_up_closed',
      'username_taken',
      'password_too_weak',
    ],
  }),
} as const;

/** What the device signs to prove that it holds the private half of its key. */
export const enrolmentProof = (registrationKey: string, username: string, deviceRecipient: string): Uint8Array =>
  new TextEncoder().encode(`holdfast enrol 1\0${registrationKey}\0${username}\0${deviceRecipient}`);
