import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createClient } from '@holdfast/protocol/client.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { isPermission } from '@holdfast/protocol/permissions.ts';
import { isOctets, type Route } from '@holdfast/protocol/route.ts';
import { Validator } from '@seriousme/openapi-schema-validator';
import { startTestServer } from './testing/test-server.ts';
import { pinnedTransport } from './testing/transport.ts';

const t = await startTestServer();
after(() => t.close());
const user = await t.addUser('ada');
const nobody = await t.addUser('nobody', ['console-user']);
const device = await t.enrol(user);
const session = await sessionToken(nobody);

async function sessionToken(of: { username: string; password: string }): Promise<string> {
  const body = JSON.stringify(of);
  const headers = { 'content-type': 'application/json' };
  const transport = pinnedTransport(t.ca);
  const reply = await transport(`${t.base}/api/v1/sign-in`, {
    method: 'POST',
    headers,
    body: new TextEncoder().encode(body),
  });
  return (JSON.parse(Buffer.from(await reply.arrayBuffer(1e9)).toString()) as { token: string }).token;
}

/** Calls with a body that would be valid nowhere: the credential must be judged before it. */
async function refusal(route: Route, token: string | null): Promise<{ status: number; code: string }> {
  const client = createClient({ base: t.base, transport: pinnedTransport(t.ca), token: () => token });
  const params = Object.fromEntries([...route.path.matchAll(/:(\w+)/g)].map((m) => [m[1], '0'.repeat(32)]));
  const headers = { 'x-forwarded-for': '192.0.2.1' }; // Not a caller on the machine itself
  try {
    const body = isOctets(route.body) ? Uint8Array.of(0) : {};
    await client.stream(route, { params, body } as never, { headers });
    return { status: 200, code: 'none' };
  } catch (error) {
    if (error instanceof ProtocolError) return { status: error.status, code: error.code };
    throw error;
  }
}

const closed = t.server.routes.filter((route) => route.permission !== 'public');
const name = (route: Route) => `${route.method} ${route.path} (${route.permission})`;

describe('every route that is not public', () => {
  for (const route of closed) {
    test(`${name(route)} refuses a caller without a credential, and one with a made-up one`, async () => {
      assert.deepEqual(await refusal(route, null), { status: 401, code: 'unauthenticated' });
      const made = await refusal(route, `hfs_${'A'.repeat(43)}`);
      assert.equal(made.status, 401, made.code);
    });

    test(`${name(route)} refuses a credential of another kind`, async () => {
      if (!route.permission.startsWith('capability:')) {
        const other = route.permission === 'device' ? session : device.credential;
        assert.deepEqual(await refusal(route, other), { status: 401, code: 'unauthenticated' });
        return;
      }
      for (const other of [session, device.credential]) {
        assert.deepEqual(await refusal(route, other), { status: 401, code: 'capability_invalid' });
      }
    });

    if (isPermission(route.permission)) {
      test(`${name(route)} refuses a signed-in user without the permission`, async () => {
        assert.deepEqual(await refusal(route, session), { status: 403, code: 'forbidden' });
      });
    }
  }
});

describe('the OpenAPI document', async () => {
  type Operation = { 'x-permission'?: string; responses: Record<string, unknown> };
  const transport = pinnedTransport(t.ca);
  const reply = await transport(`${t.base}/api/openapi.json`, { method: 'GET', headers: {} });
  const document = JSON.parse(Buffer.from(await reply.arrayBuffer(1e9)).toString()) as {
    paths: Record<string, Record<string, Operation>>;
  };

  test('is valid OpenAPI', async () => {
    const result = await new Validator().validate(structuredClone(document));
    assert.deepEqual(result.errors ?? [], []);
    assert.equal(result.valid, true);
  });

  test('holds every route of the server, each with its permission, and nothing else', () => {
    const listed = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, o]) => `${method.toUpperCase()} ${path} ${o['x-permission']}`),
    );
    const served = t.server.routes.map((r) => `${r.method} ${r.path.replace(/:(\w+)/g, '{$1}')} ${r.permission}`);
    assert.deepEqual(listed.sort(), served.sort());
    assert.ok(served.length > 25);
  });

  test('names the codes that a route can answer', () => {
    const signIn = document.paths['/api/v1/sign-in']?.post?.responses ?? {};
    assert.match(JSON.stringify(signIn['401']), /sign_in_failed/);
    assert.match(JSON.stringify(signIn['429']), /too_many_attempts/);
  });
});

describe('port 4280', () => {
  test('answers health and enrolment information', async () => {
    const health = (await (await fetch(`${t.httpBase}/health`)).json()) as { status: string; warnings: string[] };
    assert.deepEqual([health.status, health.warnings], ['degraded', ['kit_missing']]);
    const info = (await (await fetch(`${t.httpBase}/api/v1/enrolment`)).json()) as { caCertificate: string };
    assert.equal(info.caCertificate, t.ca);
  });

  test('sends pages to HTTPS, refuses API calls, and greets somebody at the machine', async () => {
    const page = await fetch(`${t.httpBase}/console/users?x=1`, { redirect: 'manual' });
    assert.equal(page.status, 308);
    assert.equal(page.headers.get('location'), `${t.base}/console/users?x=1`);
    const api = await fetch(`${t.httpBase}/api/v1/users`, {
      headers: { authorization: `Bearer ${session}` },
      redirect: 'manual',
    });
    assert.equal(api.status, 404);
    assert.equal((await fetch(`${t.httpBase}/`)).status, 200);
    const proxied = await fetch(`${t.httpBase}/`, { headers: { 'x-forwarded-for': '192.0.2.1' }, redirect: 'manual' });
    assert.equal(proxied.status, 308);
  });
});

test('metrics are open to the machine itself and to nobody else without a permission', async () => {
  const metrics = await pinnedTransport(t.ca)(`${t.base}/metrics`, { method: 'GET', headers: {} });
  assert.equal(metrics.status, 200);
  const text = Buffer.from(await metrics.arrayBuffer(1e9)).toString();
  assert.match(text, /holdfast_http_requests_total\{.*route="\/health"/);
  assert.match(text, /holdfast_warning\{code="kit_missing"\} 1\n/);
  assert.match(text, /holdfast_warning\{code="storage_full"\} 0\n/);
  const route = t.server.routes.find((r) => r.path === '/metrics');
  assert.ok(route);
  assert.equal((await refusal(route, session)).code, 'forbidden');
});
