import { covers, PERMISSIONS, type PermissionId } from '@holdfast/protocol/permissions.ts';
import type { AuthorityQueries } from './tables.ts';

/** The standard roles. They are locked: upgrades may change them, administrators copy them. */
export const STANDARD_ROLES = {
  sysadmin: { name: 'SYSADMIN', grants: ['admin'] },
  'server-administrator': {
    name: 'Server Administrator',
    grants: [
      'console.login',
      'cpd.login',
      'allorg',
      'alluser',
      'allcomputer',
      'allplan',
      'system',
      'viewlogs',
      'restore',
      'pushrestore',
      'select',
    ],
  },
  'org-admin': {
    name: 'Org Admin',
    grants: [
      'console.login',
      'cpd.login',
      'org.create',
      'org.read',
      'org.update_basic',
      'org.delete',
      'user',
      'computer',
      'plan',
      'restore',
      'pushrestore',
      'select',
    ],
  },
  'help-desk': {
    name: 'Help Desk',
    grants: [
      'console.login',
      'org.read',
      'user.read',
      'computer.read',
      'restore.limited',
      'pushrestore.limited',
      'select',
    ],
  },
  'desktop-user': {
    name: 'Desktop User',
    grants: ['cpd.login', 'spd.login', 'restore.personal', 'pushrestore.personal', 'select.personal', 'account.update'],
  },
  'console-user': { name: 'Console User', grants: ['console.login', 'account.update'] },
} as const satisfies Record<string, { name: string; grants: readonly PermissionId[] }>;

export type StandardRole = keyof typeof STANDARD_ROLES;

/** What a new user gets when nobody says otherwise. */
export const DEFAULT_ROLES: readonly StandardRole[] = ['desktop-user', 'console-user'];
export const ADMIN_ROLES: readonly StandardRole[] = ['sysadmin'];

export async function insertStandardRoles(queries: AuthorityQueries): Promise<void> {
  for (const [id, { name, grants }] of Object.entries(STANDARD_ROLES)) {
    await queries.insertInto('roles').values({ id, name, locked: 1 }).execute();
    await queries
      .insertInto('role_grants')
      .values(grants.map((permission) => ({ role: id, permission })))
      .execute();
  }
}

/**
 * Nobody hands out, or takes over by resetting a password, more reach than they have: what a grant allows about others must
 * be covered by one of the actor's own. What it allows about oneself is no power over anybody.
 */
export const withinReach = (own: readonly PermissionId[], grants: readonly PermissionId[]): boolean =>
  grants.every((grant) => PERMISSIONS[grant].scope === 'self' || own.some((mine) => covers(mine, grant)));
