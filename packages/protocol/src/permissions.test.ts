import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorityRoutes } from './authority-routes.ts';
import { allows, covers, isPermission, PERMISSIONS, type PermissionId } from './permissions.ts';

const all = Object.keys(PERMISSIONS) as PermissionId[];

test('the superuser may do everything, and everything covers itself', () => {
  for (const permission of all) {
    assert.ok(covers('admin', permission));
    assert.ok(covers(permission, permission));
  }
});

test('only the superuser covers the superuser', () => {
  assert.deepEqual(
    all.filter((grant) => covers(grant, 'admin')),
    ['admin'],
  );
});

test('a subject covers its parts, and `all` in front covers the subject; never the other way round', () => {
  assert.ok(covers('user', 'user.read'));
  assert.ok(covers('alluser', 'user'));
  assert.ok(covers('alluser', 'user.update'));
  assert.ok(covers('restore', 'restore.limited'));
  assert.ok(covers('allorg', 'org.read'));
  assert.ok(!covers('user.read', 'user'));
  assert.ok(!covers('user', 'alluser'));
  assert.ok(!covers('user.read', 'user.update'));
  assert.ok(!covers('restore', 'pushrestore'));
  assert.ok(!covers('restore.limited', 'restore'));
});

test('covering is transitive', () => {
  for (const a of all) {
    for (const b of all) {
      if (!covers(a, b)) continue;
      for (const c of all) if (covers(b, c)) assert.ok(covers(a, c), `${a} ${b} ${c}`);
    }
  }
});

test('no grants allow nothing', () => {
  assert.equal(allows([], 'cpd.login'), false);
  assert.equal(allows(['console.login', 'cpd.login'], 'cpd.login'), true);
});

test('every route names an access that exists, and no two routes are the same', () => {
  const kinds = ['public', 'session', 'device', 'capability:read', 'capability:write'];
  for (const { permission, path } of authorityRoutes) {
    assert.ok(kinds.includes(permission) || isPermission(permission), path);
  }
  const keys = authorityRoutes.map((r) => `${r.method} ${r.path}`);
  assert.equal(new Set(keys).size, keys.length);
});

test('every route declares exactly the parameters of its path', () => {
  for (const { path, params } of authorityRoutes) {
    const inPath = [...path.matchAll(/:(\w+)/g)].map((m) => m[1]);
    assert.deepEqual(inPath.sort(), Object.keys(params?.shape ?? {}).sort(), path);
  }
});
