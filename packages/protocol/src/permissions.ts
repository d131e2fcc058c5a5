/**
 * Permissions as data: what may be granted, in whose reach, and which grant covers which permission.
 *
 * A role is a set of grants; a user has roles; a route names the one permission it needs. `admin` covers everything, a
 * whole subject (`user`) covers its parts (`user.read`), and `all` in front (`alluser`) reaches every organization.
 */

/** `self`: one's own things. `tree`: one's organization and those below it. `all`: every organization. */
export type Scope = 'self' | 'tree' | 'all';

type Permission = { readonly scope: Scope; readonly means: string };

export const PERMISSIONS = {
  admin: { scope: 'all', means: 'Do everything.' },
  'console.login': { scope: 'self', means: 'Sign in to the console.' },
  'cpd.login': { scope: 'self', means: 'Use the backup app: back up and restore on own devices.' },
  'spd.login': { scope: 'self', means: 'Use the share app.' },
  org: { scope: 'tree', means: 'Everything about the own organization and those below it.' },
  'org.create': { scope: 'tree', means: 'Create organizations below the own one.' },
  'org.read': { scope: 'tree', means: 'See the own organization, its settings and its registration key.' },
  'org.update_basic': { scope: 'tree', means: 'Change name, notes and everyday settings of an organization.' },
  'org.update_restricted': {
    scope: 'tree',
    means: 'Change quotas, destinations and security settings of an organization.',
  },
  'org.delete': { scope: 'tree', means: 'Deactivate organizations.' },
  allorg: { scope: 'all', means: 'Everything about all organizations.' },
  user: { scope: 'tree', means: 'Everything about users of the own organization.' },
  'user.create': { scope: 'tree', means: 'Create users.' },
  'user.read': { scope: 'tree', means: 'See users.' },
  'user.update': { scope: 'tree', means: 'Change users, their roles and their passwords.' },
  'user.delete': { scope: 'tree', means: 'Deactivate users.' },
  alluser: { scope: 'all', means: 'Everything about all users.' },
  computer: { scope: 'tree', means: 'Everything about devices of the own organization.' },
  'computer.read': { scope: 'tree', means: 'See devices and their state.' },
  'computer.update': { scope: 'tree', means: 'Change settings of devices.' },
  'computer.delete': { scope: 'tree', means: 'Remove devices.' },
  allcomputer: { scope: 'all', means: 'Everything about all devices.' },
  plan: { scope: 'tree', means: 'Everything about plans of the own organization.' },
  allplan: { scope: 'all', means: 'Everything about all plans.' },
  restore: { scope: 'tree', means: 'Restore files of managed devices in the browser, any size.' },
  'restore.limited': { scope: 'tree', means: 'Restore files of managed devices in the browser, up to a size.' },
  'restore.personal': { scope: 'self', means: 'Restore own files in the browser.' },
  pushrestore: { scope: 'tree', means: 'Restore to any managed device that is online.' },
  'pushrestore.limited': { scope: 'tree', means: "Restore to devices of the files' owner." },
  'pushrestore.personal': { scope: 'self', means: 'Restore to own devices from the console.' },
  select: { scope: 'tree', means: 'Browse file names of managed devices.' },
  'select.personal': { scope: 'self', means: 'Browse own file names in the console.' },
  'allrestorerecord.read': { scope: 'all', means: 'See the history of all restores.' },
  system: { scope: 'all', means: 'Everything about the server itself.' },
  'system.system_settings': { scope: 'all', means: 'Read and change settings of the server.' },
  'system.manage_database': { scope: 'all', means: 'Make and load dumps of the database.' },
  'system.archive_maintenance': { scope: 'all', means: 'Run and stop maintenance of archives.' },
  'system.command': { scope: 'all', means: 'Run any server command.' },
  'system.command_restricted': { scope: 'all', means: 'Run harmless server commands.' },
  'system.send_email': { scope: 'all', means: 'Send messages to users.' },
  viewlogs: { scope: 'all', means: 'Read logs, metrics and the audit log.' },
  'account.update': { scope: 'self', means: 'Change details of the own account.' },
} as const satisfies Record<string, Permission>;

export type PermissionId = keyof typeof PERMISSIONS;

export const isPermission = (id: string): id is PermissionId => Object.hasOwn(PERMISSIONS, id);

/** Subjects that come in a pair: `all` + subject covers every organization. */
const ALL_SUBJECTS = ['org', 'user', 'computer', 'plan'] as const;

const within = (subject: string, permission: string) => permission === subject || permission.startsWith(`${subject}.`);

/** Whether holding `grant` is enough for a route that asks for `permission`. */
export function covers(grant: PermissionId, permission: PermissionId): boolean {
  if (grant === 'admin' || within(grant, permission)) return true;
  return ALL_SUBJECTS.some((subject) => grant === `all${subject}` && within(subject, permission));
}

export const allows = (grants: Iterable<PermissionId>, permission: PermissionId): boolean => {
  for (const grant of grants) if (covers(grant, permission)) return true;
  return false;
};
