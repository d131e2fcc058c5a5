import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { LEAST_PACE } from '@holdfast/protocol/pace.ts';
import { createBucket } from '../limits/token-bucket.ts';
import { createTransport } from './transport.ts';

type Handle = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A server on this machine; the transport talks plain HTTP to it. The real server's TLS is in remote-endpoint.test.ts. */
async function serve(t: TestContext, handle: Handle) {
  const server = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const slept: number[] = [];
  const time = {
    now: () => 0,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      slept.push(ms);
      time.now = () => slept.reduce((sum, each) => sum + each, 0);
    },
  };
  const clock = { ticks: () => time.now(), sleep: time.sleep };
  const buckets = { upload: createBucket(clock), download: createBucket(clock) };
  const transport = createTransport({ ca: null, ...buckets });
  t.after(() => {
    transport.close();
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`, transport, ...buckets, time };
}

const bodyOf = async (request: IncomingMessage) =>
  Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
const request = (method: string, body?: Uint8Array, signal?: AbortSignal) => ({
  method,
  headers: {},
  ...(body && { body: body as Uint8Array<ArrayBuffer> }),
  ...(signal && { signal }),
});

describe('the transport', () => {
  it('carries bytes there and back', async (t) => {
    const { url, transport } = await serve(t, async (incoming, response) => {
      response.setHeader('x-length', incoming.headers['content-length'] ?? 'none');
      response.end(await bodyOf(incoming));
    });
    const sent = Buffer.alloc(3_000_000, 'abc');
    const reply = await transport.send(url, request('PUT', sent));
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.get('X-Length'), '3000000');
    assert.ok(Buffer.from(await reply.arrayBuffer(1e9)).equals(sent));
  });

  it('keeps to the upload and download rates', async (t) => {
    const { url, transport, upload, download, time } = await serve(t, async (incoming, response) => {
      response.end(await bodyOf(incoming));
    });
    upload.setRate(100_000);
    const reply = await transport.send(url, request('PUT', Buffer.alloc(500_000)));
    const afterUpload = time.now();
    assert.ok(afterUpload >= 4900 && afterUpload <= 5200, `${afterUpload} ms for 500 kB at 100 kB/s`);
    download.setRate(1_000_000);
    await reply.arrayBuffer(1e9);
    assert.ok(time.now() - afterUpload >= 490 && time.now() - afterUpload <= 700);
  });

  it('takes an answer that comes before everything was sent, and stops sending', async (t) => {
    let arrived = 0;
    const { url, transport } = await serve(t, (incoming, response) => {
      incoming.on('data', (chunk: Buffer) => {
        arrived += chunk.length;
        if (!response.headersSent) response.writeHead(409).end('no');
      });
    });
    const reply = await transport.send(url, request('PUT', Buffer.alloc(200_000_000)));
    assert.equal(reply.status, 409);
    assert.equal(Buffer.from(await reply.arrayBuffer(1e9)).toString(), 'no');
    assert.ok(arrived < 200_000_000);
    const again = await transport.send(url, request('PUT', Buffer.alloc(10)));
    assert.equal(again.status, 409, 'the next request has a connection that works');
  });

  it('fails when the answer is cut off', async (t) => {
    const { url, transport } = await serve(t, (_incoming, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    });
    const reply = await transport.send(url, request('GET'));
    await assert.rejects(reply.arrayBuffer(1e9));
  });

  it('fails when the connection breaks while it sends', async (t) => {
    const { url, transport } = await serve(t, (incoming) => {
      incoming.once('data', () => incoming.destroy());
    });
    await assert.rejects(transport.send(url, request('PUT', Buffer.alloc(50_000_000))));
  });

  it('fails when the line stalls in the middle of what it sends, after 90 seconds and not after twice that', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let arrived = () => {};
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { url, transport } = await serve(t, () => arrived()); // and reads no further
    let failure: unknown;
    transport.send(url, request('PUT', Buffer.alloc(50_000_000))).catch((error: unknown) => {
      failure = error;
    });
    await arrival;
    for (let i = 0; failure === undefined && i < 1000; i++) {
      t.mock.timers.tick(90_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((failure as NodeJS.ErrnoException | undefined)?.code, 'ETIMEDOUT');
  });

  it('leaves a server that sends a byte of its answer now and then, and says why', async (t) => {
    const { url, transport } = await serve(t, (_incoming, response) => {
      response.writeHead(200);
      response.write('x');
    });
    const reply = await transport.send(url, request('GET'));
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const read = reply.arrayBuffer(1e9);
    t.mock.timers.tick(LEAST_PACE.ms);
    await assert.rejects(read, { code: 'offline', retryable: true, message: /answers too slowly/ });
  });

  it('leaves a server that sends a byte of its headers now and then', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let asked = (_socket: Socket): void => {};
    const socket = new Promise<Socket>((resolve) => {
      asked = resolve;
    });
    const { url, transport } = await serve(t, (incoming) => asked(incoming.socket));
    const sent = transport.send(url, request('GET'));
    sent.catch(() => {}); // looked at below
    const line = await socket;
    line.write('HTTP/1.1 200 OK\r\nx: ');
    // Each byte begins the count of an idle line once more
    for (let at = 0; at < 4; at++) {
      t.mock.timers.tick(60_000);
      await new Promise((resolve) => line.write('x', resolve));
    }
    await assert.rejects(sent, { code: 'offline', message: /answers too slowly/ });
  });

  it('fails when nobody listens', async (t) => {
    const { transport } = await serve(t, () => {});
    await assert.rejects(transport.send('http://127.0.0.1:1/', request('GET')), { code: 'ECONNREFUSED' });
  });

  it('stops at once when it is told to', async (t) => {
    const controller = new AbortController();
    const { url, transport } = await serve(t, () => controller.abort());
    await assert.rejects(transport.send(url, request('GET', undefined, controller.signal)), { name: 'AbortError' });
  });
});
