import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { createClient, type Transport, type TransportRequest } from './client.ts';
import { CODES, type ProtocolCode, ProtocolError, statusOf } from './errors.ts';
import { octets, route } from './route.ts';

const item = route({
  method: 'PUT',
  path: '/items/:id',
  permission: 'device',
  summary: 'Store an item.',
  params: z.object({ id: z.string() }),
  query: z.object({ mode: z.string().optional() }),
  body: z.object({ size: z.int() }),
  response: z.object({ stored: z.boolean() }),
  errors: [],
});
const blob = route({
  method: 'PUT',
  path: '/blob',
  permission: 'public',
  summary: 'Echo.',
  body: octets(100),
  response: octets(100),
  errors: [],
});

type Sent = TransportRequest & { url: string };

function answering(reply: () => Response | Promise<Response>) {
  const sent: Sent[] = [];
  const transport: Transport = async (url, request) => {
    sent.push({ url, ...request });
    return reply();
  };
  return { sent, client: createClient({ base: 'https://server:1', transport, token: () => 'secret' }) };
}
const input = { params: { id: 'a/b ?' }, query: { mode: 'x&y' }, body: { size: 1 } };
const fails =
  (code: ProtocolCode, check: (e: ProtocolError) => void = () => {}) =>
  (error: unknown) => {
    assert.ok(error instanceof ProtocolError);
    assert.equal(error.code, code);
    check(error);
    return true;
  };

test('a call becomes a request with escaped path, query, JSON body and bearer token', async () => {
  const { sent, client } = answering(() => Response.json({ stored: true, later: 'field of a newer server' }));
  assert.deepEqual(await client.call(item, input), { stored: true });
  assert.equal(sent[0]?.url, 'https://server:1/items/a%2Fb%20%3F?mode=x%26y');
  assert.equal(sent[0]?.headers.authorization, 'Bearer secret');
  assert.equal(new TextDecoder().decode(sent[0]?.body), '{"size":1}');
});

test('octets travel as they are, and no token goes where none is needed', async () => {
  const { sent, client } = answering(() => new Response(Uint8Array.of(1, 2)));
  assert.deepEqual(await client.call(blob, { body: Uint8Array.of(9) }), Uint8Array.of(1, 2));
  assert.equal(sent[0]?.headers['content-type'], 'application/octet-stream');
  assert.equal(sent[0]?.headers.authorization, undefined);
});

test('every code crosses the wire whole', async () => {
  for (const code of Object.keys(CODES) as ProtocolCode[]) {
    const status = statusOf(code);
    if (status === 0) continue;
    const error = new ProtocolError(code, { message: 'why', data: { n: 1 } });
    const { client } = answering(() => Response.json(error.toEnvelope(), { status, headers: { 'retry-after': '7' } }));
    await assert.rejects(
      client.call(item, input),
      fails(code, (e) => {
        assert.deepEqual([e.message, e.data, e.retryable, e.retryAfterMs], ['why', { n: 1 }, error.retryable, 7000]);
      }),
    );
  }
});

test('a code of a newer server keeps its word on trying again', async () => {
  const body = { error: { code: 'from_the_future', message: 'later', retryable: true } };
  const { client } = answering(() => Response.json(body, { status: 503 }));
  await assert.rejects(
    client.call(item, input),
    fails('unknown_code', (e) => {
      assert.equal(e.retryable, true);
      assert.equal(e.data?.code, 'from_the_future');
    }),
  );
});

test('an answer that is not ours is told from one that is', async () => {
  const proxy = answering(() => new Response('<h1>Not here</h1>', { status: 404 }));
  await assert.rejects(proxy.client.call(item, input), fails('bad_reply'));
  const page = answering(() => new Response('<h1>Welcome to the hotel</h1>'));
  await assert.rejects(page.client.call(item, input), fails('bad_reply'));
  const shape = answering(() => Response.json({ stored: 'perhaps' }));
  await assert.rejects(shape.client.call(item, input), fails('bad_reply'));
});

test('what stands in front of the server may say how long to wait, too', async () => {
  const headers = { 'retry-after': '7', 'content-type': 'text/html' };
  for (const status of [429, 502, 503, 504]) {
    const proxy = answering(() => new Response('<h1>Not now</h1>', { status, headers }));
    await assert.rejects(
      proxy.client.call(item, input),
      fails('unavailable', (e) => assert.deepEqual([e.retryable, e.retryAfterMs, e.data], [true, 7000, { status }])),
    );
  }
  const newer = answering(() => Response.json({ error: { code: 'from_the_future' } }, { status: 503, headers }));
  await assert.rejects(
    newer.client.call(item, input),
    fails('unknown_code', (e) => assert.equal(e.retryAfterMs, 7000)),
  );
});

test('a wait told as a date counts from the date of the answer, whatever the clock here shows', async () => {
  const asked = async (headers: Record<string, string>): Promise<unknown> => {
    const { client } = answering(() => new Response('Not now.', { status: 503, headers }));
    return client.call(item, input).then(
      () => assert.fail('it was refused'),
      ({ retryAfterMs }: ProtocolError) => retryAfterMs,
    );
  };
  const date = 'Fri, 31 Dec 1999 23:59:00 GMT';
  assert.equal(await asked({ date, 'retry-after': 'Fri, 31 Dec 1999 23:59:59 GMT' }), 59_000);
  assert.equal(await asked({ date, 'retry-after': 'Fri, 31 Dec 1999 23:58:00 GMT' }), 0);
  assert.equal(await asked({ 'retry-after': 'Fri, 31 Dec 1999 23:59:59 GMT' }), undefined);
  assert.equal(await asked({ date, 'retry-after': 'soon' }), undefined);
  assert.equal(await asked({ date, 'retry-after': '-5' }), undefined);
});

test('no answer is `unreachable` and may be tried again; an abort stays an abort', async () => {
  const down = answering(() => Promise.reject(new Error('ECONNREFUSED')));
  await assert.rejects(
    down.client.call(item, input),
    fails('unreachable', (e) => assert.equal(e.retryable, true)),
  );
  const reason = new Error('stop');
  const aborted = answering(() => Promise.reject(new Error('socket closed')));
  await assert.rejects(aborted.client.call(item, input, { signal: AbortSignal.abort(reason) }), reason);
});

test('a reply that breaks off half-way is `unreachable`', async () => {
  const half = () =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(Uint8Array.of(123));
          controller.error(new Error('reset'));
        },
      }),
    );
  await assert.rejects(answering(half).client.call(item, input), fails('unreachable'));
});
