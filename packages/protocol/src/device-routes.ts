import { z } from 'zod';
import { CAPABILITY_LIFETIME_SECONDS, purpose } from './capability.ts';
import { deviceSettings, deviceStatus } from './device-settings.ts';
import { archiveInformation, destination, deviceContext, deviceDescription } from './enrolment-routes.ts';
import { octets, route } from './route.ts';
import { id16, keyLevel, ms, password, publicKey, recipient } from './schemas.ts';

/** What an enrolled device may ask of the authority. Each call sends its credential; what changes who gets in takes the user's password too. */

/** An identity wrap is a short text in one age file. */
export const IDENTITY_WRAP_MAX = 64 * 1024;

const publicIdentity = { recipient, signingKey: publicKey };

export const deviceRoutes = {
  context: route({
    method: 'GET',
    path: '/api/v1/device',
    permission: 'device',
    summary: 'Describe this device, its user, its archive and its destinations.',
    response: deviceContext,
    errors: ['device_revoked'],
  }),
  describe: route({
    method: 'PUT',
    path: '/api/v1/device',
    permission: 'device',
    summary: 'Tell a new name, operating system or version of this device.',
    body: deviceDescription,
    errors: ['device_revoked'],
  }),
  leave: route({
    method: 'DELETE',
    path: '/api/v1/device',
    permission: 'device',
    summary: 'Remove this device; its snapshots stay.',
    errors: ['device_revoked'],
  }),
  siblings: route({
    method: 'GET',
    path: '/api/v1/device/siblings',
    permission: 'device',
    summary: "List the devices of this device's user, this one included.",
    response: z.object({
      devices: z.array(
        z.object({
          id: id16,
          guid: z.string(),
          name: z.string(),
          publicKey,
          recipient,
          enrolled: ms,
          removed: ms.nullable(),
        }),
      ),
    }),
    errors: ['device_revoked'],
  }),
  capability: route({
    method: 'POST',
    path: '/api/v1/device/capability',
    permission: 'device',
    summary: "Get a capability for this user's archive; needs the user's cpd.login.",
    body: z.object({ purpose, destination: id16.optional() }),
    response: z.object({
      /** JWT; sent to storage as `Authorization: Bearer`. */
      token: z.string(),
      archive: id16,
      expires: ms,
      /** Ask again after this many seconds, well before it runs out. */
      renewAfter: z.int().max(CAPABILITY_LIFETIME_SECONDS),
      destination,
    }),
    errors: ['device_revoked', 'user_blocked', 'archive_missing', 'archive_not_ready', 'not_found'],
  }),
  settings: route({
    method: 'GET',
    path: '/api/v1/device/settings',
    permission: 'device',
    summary: 'Fetch the settings in force for this device.',
    response: deviceSettings,
    errors: ['device_revoked'],
  }),
  status: route({
    method: 'POST',
    path: '/api/v1/device/status',
    permission: 'device',
    summary: 'Report how this device is doing.',
    body: deviceStatus,
    response: z.object({
      /** Fetch the settings again when this differs from yours. */
      settingsRevision: z.int(),
    }),
    errors: ['device_revoked'],
  }),
  changePassword: route({
    method: 'POST',
    path: '/api/v1/device/password',
    permission: 'device',
    summary: "Change the password of this device's user; the user's sessions end, the devices go on.",
    body: z.object({ current: password, next: password }),
    errors: ['device_revoked', 'sign_in_failed', 'user_blocked', 'password_too_weak'],
  }),
  registerArchive: route({
    method: 'POST',
    path: '/api/v1/device/archive',
    permission: 'device',
    summary: 'Register the archive and public identity that this device made for its user; the first device wins.',
    body: z.object({ archive: id16, ...publicIdentity }),
    response: archiveInformation,
    errors: ['device_revoked', 'archive_exists', 'conflict'],
  }),
  archiveReady: route({
    method: 'POST',
    path: '/api/v1/device/archive/ready',
    permission: 'device',
    summary: 'Say that key files and wraps are stored; the authority checks that the escrow wrap opens.',
    response: archiveInformation,
    errors: [
      'device_revoked',
      'archive_missing',
      'archive_exists',
      'conflict',
      'key_wrap_missing',
      'key_wrap_unusable',
    ],
  }),
  identity: route({
    method: 'POST',
    path: '/api/v1/device/identity',
    permission: 'device',
    summary: "Get the user's identity out of escrow, wrapped to this device; key level account only.",
    response: octets(IDENTITY_WRAP_MAX),
    errors: [
      'device_revoked',
      'user_blocked',
      'archive_missing',
      'archive_not_ready',
      'key_not_escrowed',
      'key_wrap_missing',
      'key_wrap_unusable',
    ],
  }),
  renewIdentity: route({
    method: 'POST',
    path: '/api/v1/device/archive/identity',
    permission: 'device',
    summary: "Replace the user's identity by a new one, at the same key level or a higher one.",
    body: z.object({
      /** From now on: the present one or a higher one. */
      level: keyLevel,
      /** What is replaced; `conflict` when that is not the present one any more. */
      previous: z.object(publicIdentity),
      identity: z.object(publicIdentity),
      /** Ids of removed devices that get no wrap of it. */
      keptFrom: z.array(id16).max(10_000),
      /** Of the account; not needed at level account after a device was removed. */
      password: password.optional(),
    }),
    response: archiveInformation,
    errors: [
      'device_revoked',
      'sign_in_failed',
      'password_change_required',
      'archive_missing',
      'archive_not_ready',
      'conflict',
      'renewal_not_due',
      'key_level_lower',
      'key_wrap_missing',
      'key_wrap_unusable',
    ],
  }),
} as const;
