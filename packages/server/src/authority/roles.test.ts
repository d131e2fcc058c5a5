import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allows, PERMISSIONS, type PermissionId } from '@holdfast/protocol/permissions.ts';
import { STANDARD_ROLES, withinReach } from './roles.ts';

const roles = Object.entries(STANDARD_ROLES).map(([id, role]) => [id, role.grants as readonly PermissionId[]] as const);

test('an administrator hands out every role, and everybody hands out what is about oneself', () => {
  for (const [id, grants] of roles) assert.ok(withinReach(['admin'], grants), id);
  const self = (Object.keys(PERMISSIONS) as PermissionId[]).filter((p) => PERMISSIONS[p].scope === 'self');
  assert.ok(withinReach([], self));
});

test('only an administrator hands out the right to everything', () => {
  for (const [id, grants] of roles) assert.equal(withinReach(grants, ['admin']), id === 'sysadmin', id);
});

test('who may back up and restore in the app', () => {
  const may = roles.filter(([, grants]) => allows(grants, 'cpd.login')).map(([id]) => id);
  assert.deepEqual(may, ['sysadmin', 'server-administrator', 'org-admin', 'desktop-user']);
});
