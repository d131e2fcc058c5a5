import assert from 'node:assert/strict';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { createClient } from '@holdfast/protocol/client.ts';
import { type ErrorEnvelope, ProtocolError } from '@holdfast/protocol/errors.ts';
import { octetStream, octets, plainText, route } from '@holdfast/protocol/route.ts';
import { pino } from 'pino';
import { z } from 'zod';
import { createApp } from './app.ts';
import { JSON_BODY_MAX, OctetReply, registerRoutes, serve } from './register.ts';

const greet = route({
  method: 'POST',
  path: '/greet/:name',
  permission: 'public',
  summary: 'Greet.',
  params: z.object({ name: z.string().max(5) }),
  query: z.object({ times: z.coerce.number().int().default(1) }),
  body: z.object({ loud: z.boolean() }),
  response: z.object({ text: z.string() }),
  errors: [],
});
const reverse = route({
  method: 'PUT',
  path: '/reverse',
  permission: 'public',
  summary: 'Reverse octets.',
  body: octets(8),
  response: octets(8),
  errors: [],
});
const count = route({
  method: 'PUT',
  path: '/count',
  permission: 'public',
  summary: 'Count octets.',
  body: octetStream(1000),
  response: z.object({ bytes: z.number() }),
  errors: [],
});
const slice = route({
  method: 'GET',
  path: '/slice',
  permission: 'public',
  summary: 'Send a range.',
  response: octets(100),
  errors: [],
});
const note = route({
  method: 'GET',
  path: '/note',
  permission: 'public',
  summary: 'Send text.',
  response: plainText('text/plain'),
  errors: [],
});
const secret = route({
  method: 'POST',
  path: '/secret',
  permission: 'admin',
  summary: 'Refuse.',
  body: octets(8),
  errors: [],
});
const broken = route({
  method: 'GET',
  path: '/broken',
  permission: 'public',
  summary: 'Fail.',
  response: z.object({ n: z.number() }),
  errors: [],
});

const app = createApp({ log: pino({ level: 'silent' }) });
registerRoutes(
  app,
  [
    serve(greet, async ({ params, query, body }) => ({
      text: `hello ${params.name}${(body.loud ? '!' : '.').repeat(query.times)}`,
    })),
    serve(reverse, async ({ body }) => Uint8Array.from(body).reverse()),
    serve(count, async ({ body }) => {
      let bytes = 0;
      for await (const chunk of body) bytes += chunk.length;
      return { bytes };
    }),
    serve(slice, async () => new OctetReply(Uint8Array.of(2, 3), 206, { 'content-range': 'bytes 2-3/9' })),
    serve(note, async () => 'up 1\n'),
    serve(secret, async () => undefined),
    serve(broken, async () => ({ n: 'not a number' }) as never),
  ],
  {
    authorize: async (r) => {
      if (r.permission !== 'public') throw new ProtocolError('unauthenticated');
      return { kind: 'nobody' };
    },
  },
);
const base = await app.listen({ port: 0, host: '127.0.0.1' });
after(() => app.close());
const client = createClient({ base, transport: fetch });
const refusedWith = (code: string) => (error: unknown) => error instanceof ProtocolError && error.code === code;

test('a route receives its parameters, query and body and answers by its schema', async () => {
  const input = { params: { name: 'ada' }, query: { times: 2 }, body: { loud: true } };
  assert.deepEqual(await client.call(greet, input), { text: 'hello ada!!' });
});

test('input that does not fit the schema is refused, naming the field', async () => {
  const input = { params: { name: 'ada' }, body: { loud: 'very' as never } };
  await assert.rejects(client.call(greet, input), (error: ProtocolError) => {
    assert.equal(error.code, 'invalid_request');
    assert.match(JSON.stringify(error.data), /loud/);
    return true;
  });
  const other = client.call(greet, { params: { name: 'too long' }, body: { loud: true } });
  await assert.rejects(other, refusedWith('invalid_request'));
});

test('octets go in and out unchanged, whole or as a stream', async () => {
  assert.deepEqual([...(await client.call(reverse, { body: Uint8Array.of(1, 2, 3) }))], [3, 2, 1]);
  assert.deepEqual(await client.call(count, { body: new Uint8Array(1000) }), { bytes: 1000 });
});

test('more octets than a route takes are refused, whether they announce their length or not', async () => {
  await assert.rejects(client.call(reverse, { body: new Uint8Array(9) }), refusedWith('body_too_large'));
  const unannounced = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 11; i++) controller.enqueue(new Uint8Array(100));
      controller.close();
    },
  });
  const headers = { 'content-type': 'application/octet-stream' };
  const reply = await fetch(`${base}/count`, { method: 'PUT', headers, body: unannounced, duplex: 'half' } as never);
  assert.equal(reply.status, 413);
});

test('a range answers 206 with its header; text has its own type', async () => {
  const reply = await client.stream(slice, {});
  assert.equal(reply.status, 206);
  assert.equal(reply.headers.get('content-range'), 'bytes 2-3/9');
  assert.deepEqual([...new Uint8Array(await reply.arrayBuffer(1e9))], [2, 3]);
  assert.equal(await client.call(note, {}), 'up 1\n');
});

test('a caller without a credential is refused before the body is looked at', async () => {
  const reply = await fetch(`${base}/secret`, {
    method: 'POST',
    body: '{broken',
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(reply.status, 401);
  assert.equal(((await reply.json()) as { error: { code: string } }).error.code, 'unauthenticated');
});

test('an unknown path, a broken body and a reply of the wrong shape each answer with a code', async () => {
  const code = async (path: string, init?: RequestInit) => {
    const reply = await fetch(base + path, init);
    return [reply.status, ((await reply.json()) as { error: { code: string } }).error.code];
  };
  assert.deepEqual(await code('/nowhere'), [404, 'unknown_route']);
  const json = { 'content-type': 'application/json' };
  assert.deepEqual(await code('/greet/ada', { method: 'POST', headers: json, body: '{' }), [400, 'invalid_request']);
  assert.deepEqual(await code('/greet/ada', { method: 'POST', headers: json, body: '' }), [400, 'invalid_request']);
  const xml = { 'content-type': 'application/xml' };
  assert.deepEqual(await code('/greet/ada', { method: 'POST', headers: xml, body: '<a/>' }), [400, 'invalid_request']);
  assert.deepEqual(await code('/broken'), [500, 'internal']);
});

describe('whatever is sent, the answer is the envelope with advice that fits', () => {
  const port = Number(new URL(base).port);
  const host = 'host: localhost\r\n';
  const json = `${host}content-type: application/json\r\n`;
  const large = JSON.stringify({ loud: 'x'.repeat(JSON_BODY_MAX) });
  const post = (headers: string, body: string) =>
    `POST /greet/ada HTTP/1.1\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`;
  const CASES: readonly (readonly [string, string, number, string, RegExp])[] = [
    ['a path that is no URL', `GET /% HTTP/1.1\r\n${host}\r\n`, 400, 'invalid_request', /no valid URL/],
    [
      'a name without end',
      `POST /greet/${'a'.repeat(200)} HTTP/1.1\r\n${host}\r\n`,
      400,
      'invalid_request',
      /longer than any name/,
    ],
    [
      'a body of another type',
      post(`${host}content-type: text/html\r\n`, 'x'),
      400,
      'invalid_request',
      /type application\/json/,
    ],
    [
      'octets for JSON',
      post(`${host}content-type: application/octet-stream\r\n`, 'x'),
      400,
      'invalid_request',
      /send JSON/,
    ],
    ['broken JSON', post(json, '{'), 400, 'invalid_request', /no valid JSON/],
    ['no JSON at all', post(json, ''), 400, 'invalid_request', /there is no body/],
    [
      'an expectation that nobody meets',
      `GET /note HTTP/1.1\r\n${host}expect: the impossible\r\n\r\n`,
      400,
      'invalid_request',
      /Expect/,
    ],
    ['too much JSON', post(json, large), 413, 'body_too_large', /data\.max/],
    ['what is no HTTP', 'hello\r\n\r\n', 400, 'invalid_request', /no HTTP request/],
    [
      'too many headers',
      `GET /note HTTP/1.1\r\n${host}x: ${'x'.repeat(20_000)}\r\n\r\n`,
      400,
      'invalid_request',
      /headers are too large/,
    ],
  ];

  for (const [what, request, status, code, advice] of CASES) {
    test(what, async () => {
      const socket = connect(port, '127.0.0.1');
      socket.end(request);
      const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
      assert.equal(Number(head.split(' ')[1]), status, head);
      assert.match(head, /^content-type: application\/json/im);
      const { error } = JSON.parse(body) as ErrorEnvelope;
      assert.equal(error.code, code);
      assert.match(error.message, advice);
      assert.equal(typeof error.retryable, 'boolean');
      if (code === 'body_too_large') assert.deepEqual(error.data, { max: JSON_BODY_MAX });
    });
  }
});

test('a stream that falls behind its pace is left, with a code', async () => {
  const slow = createApp({ log: pino({ level: 'silent' }), pace: { bytes: 1000, ms: 20 } });
  const authorize = async () => ({ kind: 'nobody' }) as const;
  let ended: unknown;
  const read = serve(count, async ({ body }) => {
    ended = await Array.fromAsync(body).catch((error: unknown) => error);
    return { bytes: 0 };
  });
  registerRoutes(slow, [read], { authorize });
  await slow.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((slow.server.address() as AddressInfo).port, '127.0.0.1');
  const lines = ['host: x', 'content-type: application/octet-stream', 'content-length: 100000'];
  socket.write(`${count.method} ${count.path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\nab`);
  assert.match(await text(socket), /^HTTP\/1\.1 503 .*"code":"busy".*"retryable":true/s);
  assert.ok(ended instanceof Error, 'whoever reads it is told');
  await slow.close();
});

test('a body that does not come is not waited for longer than a while', async () => {
  const slow = createApp({ log: pino({ level: 'silent' }) });
  const authorize = async () => ({ kind: 'nobody' }) as const;
  registerRoutes(slow, [serve(reverse, async ({ body }) => body)], { authorize, bodyMs: 20 });
  await slow.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((slow.server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(
    'PUT /reverse HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\ncontent-length: 5\r\n\r\nab',
  );
  assert.match(await text(socket), /^HTTP\/1\.1 503 .*"code":"busy".*"retryable":true/s);
  await slow.close();
});
