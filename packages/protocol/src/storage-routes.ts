import { z } from 'zod';
import { octetStream, octets, route } from './route.ts';
import { hash32, id16 } from './schemas.ts';
import { LOCATION_LENGTH, MAX_IDS, MAX_PRESENT, MAX_SNAPSHOT_OBJECT, WIRE_ID_LENGTH } from './storage-wire.ts';

/**
 * Archive traffic, between a device (or a page) and whoever keeps the archive. Each call carries a capability; what it
 * may do is in there. Bodies of octets are laid out in `storage-wire.ts`.
 *
 * A *session* is one backup, restore, copy or check in progress. What it was told is present stays so until it ends; a
 * request of an ended one answers `session_ended`.
 */

const BASE = '/storage/v1/archives/:archive';

/** format §4: a reader refuses a larger pack. */
export const MAX_PACK = 32 * 1024 * 1024;
/** Key files, wraps and device lists. */
export const MAX_SMALL_OBJECT = 1024 * 1024;
/** No list of snapshots with their receipts grows beyond it. */
const MAX_SNAPSHOTS = 1024 * 1024 * 1024;
/** Nor any other list. */
const MAX_LIST = 128 * 1024 * 1024;

const archive = z.object({ archive: id16 });
const session = archive.extend({ session: id16 });
const pack = session.extend({ pack: hash32 });
/** The names that format §7 allows in a folder; the server refuses others with `name_invalid`. */
const named = archive.extend({ name: z.string().max(64) });

const ids = octets(MAX_IDS * WIRE_ID_LENGTH);

export const sessionPurpose = z.enum(['backup', 'restore', 'copy', 'check']);

export const storageRoutes = {
  openSession: route({
    method: 'POST',
    path: `${BASE}/sessions`,
    permission: 'capability:read',
    summary: 'Open a session; one for backup needs the right to write, and makes the archive when it is new.',
    params: archive,
    body: z.object({ purpose: sessionPurpose }),
    response: z.object({
      session: id16,
      /** The archive's collection counter at this moment. */
      epoch: z.int().nonnegative(),
    }),
    errors: ['archive_unknown'],
  }),
  closeSession: route({
    method: 'POST',
    path: `${BASE}/sessions/:session/close`,
    permission: 'capability:read',
    summary: 'End a session; one that has ended already is no error.',
    params: session,
    errors: [],
  }),
  present: route({
    method: 'GET',
    path: `${BASE}/sessions/:session/present`,
    permission: 'capability:read',
    summary: 'List the prefixes of the ids that are present for this session, or what changed since a cursor.',
    params: session,
    query: z.object({ cursor: z.string().max(256).optional() }),
    response: octets(MAX_PRESENT * 17),
    errors: ['session_ended'],
  }),
  ask: route({
    method: 'POST',
    path: `${BASE}/sessions/:session/ask`,
    permission: 'capability:read',
    summary: 'Ask which of these ids are present for this session.',
    params: session,
    body: ids,
    response: octets(MAX_IDS),
    errors: ['session_ended'],
  }),
  putPack: route({
    method: 'PUT',
    path: `${BASE}/sessions/:session/packs/:pack`,
    permission: 'capability:write',
    summary: 'Store a pack, checked while it arrives; nothing of it is stored when a link leads nowhere.',
    params: pack,
    body: octetStream(MAX_PACK),
    response: z.object({ result: z.enum(['stored', 'exists']) }),
    errors: ['session_ended', 'links_missing', 'pack_damaged', 'pack_retired', 'storage_full'],
  }),
  commit: route({
    method: 'POST',
    path: `${BASE}/sessions/:session/snapshots`,
    permission: 'capability:write',
    summary: 'Store a snapshot, after a pack that may ride along, and end the session; answers with the receipt.',
    params: session,
    query: z.object({
      /** The id of the pack that follows the snapshot object in the body. */
      pack: hash32.optional(),
    }),
    body: octetStream(4 + MAX_SNAPSHOT_OBJECT + MAX_PACK),
    response: octets(4096),
    errors: [
      'session_ended',
      'links_missing',
      'pack_damaged',
      'pack_retired',
      'snapshot_refused',
      'snapshot_retired',
      'storage_full',
    ],
  }),
  locate: route({
    method: 'POST',
    path: `${BASE}/sessions/:session/locate`,
    permission: 'capability:read',
    summary: 'Ask where the frames of these ids lie.',
    params: session,
    body: ids,
    response: octets(MAX_IDS * LOCATION_LENGTH),
    errors: ['session_ended'],
  }),
  readPack: route({
    method: 'GET',
    path: `${BASE}/sessions/:session/packs/:pack`,
    permission: 'capability:read',
    summary: 'Read one range of a pack; the Range header names it, and without one the whole pack is sent.',
    params: pack,
    response: octets(MAX_PACK),
    errors: ['session_ended', 'chunk_moved', 'pack_missing', 'budget_spent'],
  }),
  reportLost: route({
    method: 'POST',
    path: `${BASE}/sessions/:session/lost`,
    permission: 'capability:read',
    summary: 'Report ids that did not open: they stop being present until they are stored again.',
    params: session,
    body: ids,
    errors: ['session_ended'],
  }),
  snapshots: route({
    method: 'GET',
    path: `${BASE}/snapshots`,
    permission: 'capability:read',
    summary: 'List snapshots as objects named snapshots/ID, each followed by receipts/ID.',
    params: archive,
    response: octets(MAX_SNAPSHOTS),
    errors: ['archive_unknown'],
  }),
  tombstones: route({
    method: 'GET',
    path: `${BASE}/tombstones`,
    permission: 'capability:read',
    summary: 'List what retired snapshots left behind, as objects named tombstones/ID.',
    params: archive,
    response: octets(MAX_LIST),
    errors: ['archive_unknown'],
  }),
  keyFiles: route({
    method: 'GET',
    path: `${BASE}/keys`,
    permission: 'capability:read',
    summary: 'List the key files as named objects.',
    params: archive,
    response: octets(MAX_LIST),
    errors: ['archive_unknown'],
  }),
  keyFile: route({
    method: 'GET',
    path: `${BASE}/keys/:name`,
    permission: 'capability:read',
    summary: 'Read one key file.',
    params: named,
    response: octets(MAX_SMALL_OBJECT),
    errors: ['archive_unknown', 'object_missing', 'name_invalid'],
  }),
  putKeyFile: route({
    method: 'PUT',
    path: `${BASE}/keys/:name`,
    permission: 'capability:write',
    summary: 'Add a key file; one that is there is never replaced by other bytes.',
    params: named,
    body: octets(MAX_SMALL_OBJECT),
    errors: ['conflict', 'name_invalid', 'storage_full'],
  }),
  identityWraps: route({
    method: 'GET',
    path: `${BASE}/identities`,
    permission: 'capability:read',
    summary: 'List the wrapped identities as named objects.',
    params: archive,
    response: octets(MAX_LIST),
    errors: ['archive_unknown'],
  }),
  identityWrap: route({
    method: 'GET',
    path: `${BASE}/identities/:name`,
    permission: 'capability:read',
    summary: 'Read one wrapped identity.',
    params: named,
    response: octets(MAX_SMALL_OBJECT),
    errors: ['archive_unknown', 'object_missing', 'name_invalid'],
  }),
  putIdentityWrap: route({
    method: 'PUT',
    path: `${BASE}/identities/:name`,
    permission: 'capability:write',
    summary: 'Add a wrapped identity as the newest for its recipient; those before stay.',
    params: named,
    body: octets(MAX_SMALL_OBJECT),
    errors: ['conflict', 'name_invalid', 'storage_full'],
  }),
  deviceLists: route({
    method: 'GET',
    path: `${BASE}/devices`,
    permission: 'capability:read',
    summary: 'List the device lists as objects named by their counter, ascending.',
    params: archive,
    response: octets(MAX_LIST),
    errors: ['archive_unknown'],
  }),
  deviceList: route({
    method: 'GET',
    path: `${BASE}/devices/:counter`,
    permission: 'capability:read',
    summary: 'Read one device list.',
    params: archive.extend({ counter: z.string().regex(/^[0-9]{1,10}$/) }),
    response: octets(MAX_SMALL_OBJECT),
    errors: ['archive_unknown', 'object_missing'],
  }),
  putDeviceList: route({
    method: 'PUT',
    path: `${BASE}/devices/:counter`,
    permission: 'capability:write',
    summary: 'Add a device list; its counter must be above every one before it.',
    params: archive.extend({ counter: z.string().regex(/^[0-9]{1,10}$/) }),
    body: octets(MAX_SMALL_OBJECT),
    errors: ['conflict', 'invalid_request', 'storage_full'],
  }),
} as const;
