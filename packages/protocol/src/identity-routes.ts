import { z } from 'zod';
import { deviceStatus } from './device-settings.ts';
import { operatingSystem } from './enrolment-routes.ts';
import { PERMISSIONS, type PermissionId } from './permissions.ts';
import { route } from './route.ts';
import { hash32, id16, keyLevel, ms, password, storable, text } from './schemas.ts';

/** People and what administrators do with them: sign-in, users, roles, devices, the organization, the audit log. */

const permissionIds = Object.keys(PERMISSIONS) as [PermissionId, ...PermissionId[]];

/** User names are case-insensitive; an e-mail address is one. */
export const username = text(255).regex(/^[^\s\p{Cc}]+$/u, 'must not contain spaces');

export const user = z.object({
  id: id16,
  username: z.string(),
  name: z.string(),
  state: z.enum(['active', 'blocked']),
  roles: z.array(z.string()),
  keyLevel,
  archive: id16.nullable(),
  created: ms,
  mustChangePassword: z.boolean(),
});
export type User = z.infer<typeof user>;

export const device = z.object({
  id: id16,
  guid: z.string(),
  name: z.string(),
  user: id16,
  username: z.string(),
  os: operatingSystem,
  version: z.string(),
  enrolled: ms,
  lastSeen: ms.nullable(),
  removed: ms.nullable(),
  status: deviceStatus.nullable(),
});
export type Device = z.infer<typeof device>;

const page = z.object({
  /** The `next` of the page before. */
  after: storable(512).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
const pageOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next: z.string().nullable() });

const roleIds = z.array(text(64)).max(32);

export const identityRoutes = {
  signIn: route({
    method: 'POST',
    path: '/api/v1/sign-in',
    permission: 'public',
    summary: 'Sign in with user name and password; needs console.login.',
    body: z.object({ username: text(255), password }),
    response: z.object({
      /** Sent as `Authorization: Bearer`; every use moves its end. */
      token: z.string(),
      expires: ms,
      user,
      permissions: z.array(z.enum(permissionIds)),
    }),
    errors: ['sign_in_failed', 'user_blocked', 'forbidden'],
  }),
  signOut: route({
    method: 'POST',
    path: '/api/v1/sign-out',
    permission: 'session',
    summary: 'End this session.',
    errors: [],
  }),
  session: route({
    method: 'GET',
    path: '/api/v1/session',
    permission: 'session',
    summary: 'Tell who is signed in and what they may do.',
    response: z.object({ user, permissions: z.array(z.enum(permissionIds)), expires: ms }),
    errors: [],
  }),
  changePassword: route({
    method: 'POST',
    path: '/api/v1/session/password',
    permission: 'session',
    summary: 'Change your own password; your other sessions end.',
    body: z.object({ current: password, next: password }),
    errors: ['sign_in_failed', 'password_too_weak'],
  }),
  users: route({
    method: 'GET',
    path: '/api/v1/users',
    permission: 'user.read',
    summary: 'List users by name.',
    query: page,
    response: pageOf(user),
    errors: [],
  }),
  createUser: route({
    method: 'POST',
    path: '/api/v1/users',
    permission: 'user.create',
    summary: 'Create a user; without a password the answer holds a one-time password.',
    body: z.object({
      username,
      name: text(255).optional(),
      password: password.optional(),
      /** Ids of roles; default: the roles that the organization gives everybody. */
      roles: roleIds.optional(),
    }),
    response: z.object({ user, oneTimePassword: z.string().nullable() }),
    errors: ['username_taken', 'password_too_weak', 'not_found'],
  }),
  updateUser: route({
    method: 'PUT',
    path: '/api/v1/users/:user',
    permission: 'user.update',
    summary:
      'Rename, block, unblock a user or set the roles; a blocked user cannot sign in or restore, but is still backed up.',
    params: z.object({ user: id16 }),
    body: z.object({
      name: text(255).optional(),
      state: z.enum(['active', 'blocked']).optional(),
      roles: roleIds.optional(),
    }),
    response: user,
    errors: ['not_found', 'conflict'],
  }),
  resetPassword: route({
    method: 'POST',
    path: '/api/v1/users/:user/password-reset',
    permission: 'user.update',
    summary: 'Give a user a one-time password; all sessions of the user end.',
    params: z.object({ user: id16 }),
    response: z.object({ oneTimePassword: z.string() }),
    errors: ['not_found'],
  }),
  roles: route({
    method: 'GET',
    path: '/api/v1/roles',
    permission: 'user.read',
    summary: 'List roles and what they grant.',
    response: z.object({
      roles: z.array(
        z.object({ id: z.string(), name: z.string(), locked: z.boolean(), grants: z.array(z.enum(permissionIds)) }),
      ),
    }),
    errors: [],
  }),
  devices: route({
    method: 'GET',
    path: '/api/v1/devices',
    permission: 'computer.read',
    summary: 'List devices and how they are doing.',
    query: page.extend({ user: id16.optional() }),
    response: pageOf(device),
    errors: [],
  }),
  revokeDevice: route({
    method: 'DELETE',
    path: '/api/v1/devices/:device',
    permission: 'computer.delete',
    summary: 'Remove a device: its credential ends at once, its snapshots stay.',
    params: z.object({ device: id16 }),
    errors: ['not_found'],
  }),
  organization: route({
    method: 'GET',
    path: '/api/v1/organization',
    permission: 'org.read',
    summary: 'Show the organization, its registration key and the enrolment string.',
    response: z.object({
      id: id16,
      name: z.string(),
      registrationKey: z.string(),
      enrolmentString: z.string(),
      signUp: z.boolean(),
    }),
    errors: [],
  }),
  updateOrganization: route({
    method: 'PUT',
    path: '/api/v1/organization',
    permission: 'org.update_basic',
    summary: 'Rename the organization, or open or close sign-up.',
    body: z.object({ name: text(255).optional(), signUp: z.boolean().optional() }),
    errors: [],
  }),
  renewRegistrationKey: route({
    method: 'POST',
    path: '/api/v1/organization/registration-key',
    permission: 'org.update_restricted',
    summary: 'Replace the registration key; enrolled devices are not touched.',
    response: z.object({ registrationKey: z.string(), enrolmentString: z.string() }),
    errors: [],
  }),
  audit: route({
    method: 'GET',
    path: '/api/v1/audit',
    permission: 'viewlogs',
    summary: 'Read the audit log, newest first.',
    query: z.object({
      before: z.coerce.number().int().positive().optional(),
      limit: z.coerce.number().int().min(1).max(1000).default(100),
    }),
    response: z.object({
      entries: z.array(
        z.object({
          sequence: z.int(),
          at: ms,
          actor: z.string(),
          action: z.string(),
          target: z.string().nullable(),
          details: z.record(z.string(), z.unknown()),
          hash: hash32,
        }),
      ),
    }),
    errors: [],
  }),
} as const;
