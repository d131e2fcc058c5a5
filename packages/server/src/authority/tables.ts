import type { KeyLevel } from '@holdfast/protocol/schemas.ts';
import type { Queries } from '../database/open.ts';

/** The authority's tables, as `migrations.ts` leaves them. Ids are hex, times ms, booleans 0 or 1, lists and objects JSON. */

export type OrganizationRow = {
  id: string;
  name: string;
  registration_key: string;
  sign_up: number;
  created: number;
};

export type RoleRow = { id: string; name: string; locked: number };
export type RoleGrantRow = { role: string; permission: string };

export type UserRow = {
  id: string;
  organization: string;
  username: string;
  /** `username` folded for comparison. */
  username_key: string;
  name: string;
  state: 'active' | 'blocked';
  password_hash: string;
  must_change_password: number;
  key_level: KeyLevel;
  created: number;
};
export type UserRoleRow = { user: string; role: string };

export type SessionRow = {
  token_hash: string;
  user: string;
  created: number;
  used: number;
  expires: number;
};

/** Failed sign-ins: of one name, of one address, of both together. */
export type AttemptRow = { bucket: string; failures: number; last: number };

export type DeviceRow = {
  id: string;
  guid: string;
  user: string;
  name: string;
  os: string;
  version: string;
  public_key: string;
  recipient: string;
  credential_hash: string;
  enrolled: number;
  last_seen: number | null;
  removed: number | null;
  status: string | null;
};

export type ArchiveRow = {
  user: string;
  id: string;
  state: 'preparing' | 'ready';
  recipient: string;
  signing_key: string;
  made_by: string;
  created: number;
  /** Ids: the removed devices that this identity was kept from. Any other removed device may hold it. */
  kept_from: string;
};

/** A device that asks the user's other devices for the key. */
export type KeyRequestRow = {
  device: string;
  nonce: string;
  /** The public identity that the device was told. */
  recipient: string;
  signing_key: string;
  requested: number;
  expires: number;
};

export type DestinationRow = { id: string; name: string; storage: string; created: number };

/** Settings by scope; `default` is what every device gets. */
export type SettingRow = { scope: string; revision: number; value: string };

/** Facts about the server that outlive a process. */
export type StateRow = { key: string; value: string };

export type AuditRow = {
  sequence: number;
  at: number;
  actor: string;
  action: string;
  target: string | null;
  details: string;
  hash: string;
};
export type AuditHeadRow = { id: number; sequence: number; hash: string };

export type AuthorityTables = {
  organizations: OrganizationRow;
  roles: RoleRow;
  role_grants: RoleGrantRow;
  users: UserRow;
  user_roles: UserRoleRow;
  sessions: SessionRow;
  attempts: AttemptRow;
  devices: DeviceRow;
  archives: ArchiveRow;
  key_requests: KeyRequestRow;
  destinations: DestinationRow;
  settings: SettingRow;
  state: StateRow;
  audit: AuditRow;
  audit_head: AuditHeadRow;
};

export type AuthorityQueries = Queries<AuthorityTables>;

/**
 * Every table with its primary key: what a dump holds, in an order in which rows can be put back. A table that is missing
 * here would be missing after a recovery; a test compares this with the database.
 */
export const DUMP_ORDER: readonly { readonly table: keyof AuthorityTables; readonly key: readonly string[] }[] = [
  { table: 'organizations', key: ['id'] },
  { table: 'roles', key: ['id'] },
  { table: 'role_grants', key: ['role', 'permission'] },
  { table: 'users', key: ['id'] },
  { table: 'user_roles', key: ['user', 'role'] },
  { table: 'sessions', key: ['token_hash'] },
  { table: 'attempts', key: ['bucket'] },
  { table: 'devices', key: ['id'] },
  { table: 'archives', key: ['user'] },
  { table: 'key_requests', key: ['device'] },
  { table: 'destinations', key: ['id'] },
  { table: 'settings', key: ['scope'] },
  { table: 'state', key: ['key'] },
  { table: 'audit', key: ['sequence'] },
  { table: 'audit_head', key: ['id'] },
];
