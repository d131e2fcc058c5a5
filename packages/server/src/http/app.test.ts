import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { route } from '@holdfast/protocol/route.ts';
import { pino } from 'pino';
import { z } from 'zod';
import { createApp } from './app.ts';
import { drain, listen } from './listen.ts';
import { registerRoutes, serve } from './register.ts';

const slow = route({
  method: 'GET',
  path: '/slow',
  permission: 'public',
  summary: 'Answer when told to.',
  response: z.object({ done: z.boolean() }),
  errors: [],
});

test('a draining server ends what is in progress and tells who comes after it to come back', async () => {
  const arrived = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const closing = Promise.withResolvers<void>();
  const app = createApp({ log: pino({ level: 'silent' }) });
  const handler = serve(slow, async () => {
    arrived.resolve();
    await finish.promise;
    return { done: true };
  });
  registerRoutes(app, [handler], { authorize: async () => ({ kind: 'nobody' }) });
  app.addHook('preClose', async () => closing.resolve());
  // The first answer waits for the second request, which so finds the connection open
  app.addHook('onError', async () => finish.resolve());
  const port = await listen(app, { host: '127.0.0.1', port: 0 });

  const socket = connect(port, '127.0.0.1');
  const answers = text(socket);
  await once(socket, 'connect');
  socket.write('GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n');
  await arrived.promise;
  const closed = drain(app);
  await closing.promise;
  socket.write('GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n');

  const [first = '', second = ''] = (await answers).split(/(?=HTTP\/1\.1)/);
  assert.match(first, /^HTTP\/1\.1 200 OK.*\{"done":true\}$/s);
  assert.match(second, /^HTTP\/1\.1 503 .*retry-after: 10.*"code":"shutting_down".*"retryable":true/s);
  await closed;
});
