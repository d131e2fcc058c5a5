import { z } from 'zod';
import { route } from './route.ts';
import { hash32, id16, ms, publicKey, recipient } from './schemas.ts';

/**
 * How a device without the key asks the user's other devices for it (docs/protocol.md §4). The authority only passes on what it is
 * told: that it did so truly, people find out by comparing words on both screens.
 */

/** A request that nobody has answered ends after this long. */
export const KEY_REQUEST_LIFETIME_MS = 3_600_000;

const publicIdentity = z.object({ recipient, signingKey: publicKey });

export const keyRequest = z.object({
  device: z.object({ id: id16, guid: z.string(), name: z.string(), publicKey, recipient }),
  /** Chosen by the device for this one request. */
  nonce: hash32,
  /** The user's public identity as the device was told it. */
  identity: publicIdentity,
  requested: ms,
  expires: ms,
});
export type KeyRequest = z.infer<typeof keyRequest>;

export const keyRequestRoutes = {
  requestKey: route({
    method: 'PUT',
    path: '/api/v1/device/key-request',
    permission: 'device',
    summary: "Ask the user's other devices for the key; another request of this device is replaced.",
    body: z.object({ nonce: hash32, identity: publicIdentity }),
    response: z.object({ expires: ms }),
    errors: ['device_revoked', 'user_blocked', 'archive_missing', 'archive_not_ready', 'conflict'],
  }),
  ownKeyRequest: route({
    method: 'GET',
    path: '/api/v1/device/key-request',
    permission: 'device',
    summary: 'Tell whether the request of this device still waits.',
    response: z.object({
      /** null when there is none: answered, run out, or never made. */
      expires: ms.nullable(),
    }),
    errors: ['device_revoked'],
  }),
  endKeyRequest: route({
    method: 'DELETE',
    path: '/api/v1/device/key-request',
    permission: 'device',
    summary: 'Take back the request of this device; without one nothing happens.',
    errors: ['device_revoked'],
  }),
  keyRequests: route({
    method: 'GET',
    path: '/api/v1/device/key-requests',
    permission: 'device',
    summary: "List the devices of this device's user that ask for the key.",
    response: z.object({ requests: z.array(keyRequest) }),
    errors: ['device_revoked', 'user_blocked'],
  }),
  answerKeyRequest: route({
    method: 'POST',
    path: '/api/v1/device/key-requests/:device/answered',
    permission: 'device',
    summary: 'Say that the key was wrapped to that device; its request ends.',
    params: z.object({ device: id16 }),
    errors: ['device_revoked', 'user_blocked', 'not_found'],
  }),
} as const;
