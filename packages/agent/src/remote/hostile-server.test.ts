// A server that lies to its devices: whatever it answers, a call ends with a code, in bounded memory, or with what it may believe.

import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ArchiveEndpoint, ArchiveSession } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { encodeLocations, encodeObject, encodePresentHead } from '@holdfast/protocol/storage-wire.ts';
import fc from 'fast-check';
import { AgentError } from '../errors.ts';
import { createBucket } from '../limits/token-bucket.ts';
import { createRemoteClient } from './remote-client.ts';
import { createRemoteEndpoint } from './remote-endpoint.ts';
import { createTransport } from './transport.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const ARCHIVE = new Uint8Array(16).fill(7);
const IDS = Buffer.alloc(3 * 32, 5);
const SESSION = { session: '5'.repeat(32), epoch: 1 };
const json = (body: unknown): Answer => octets(Buffer.from(JSON.stringify(body)), 'application/json');

function octets(body: Uint8Array, type = 'application/octet-stream'): Answer {
  return (response) => response.writeHead(200, { 'content-type': type }).end(body);
}

/** Never ends by itself, and says nothing of its length. */
const endless: Answer = (response) => {
  response.writeHead(200);
  const block = Buffer.alloc(1024 * 1024, '[');
  const more = () => {
    while (!response.destroyed && response.write(block));
  };
  response.on('drain', more);
  more();
};

const deep = (bytes: number) => Buffer.alloc(bytes, '[');

const ZEROS_UNDER_GZIP = gzipSync(Buffer.alloc(64 * 1024 * 1024));

/** Whatever was asked. */
const LIES: Readonly<Record<string, Answer>> = {
  'nothing, and no such status': (response) => response.writeHead(299).end(),
  'it sends the caller elsewhere': (response) => response.writeHead(302, { location: 'http://127.0.0.1:9/x' }).end('x'),
  'it sends the caller elsewhere for good': (response) => response.writeHead(308, { location: '/' }).end(),
  'it says that nothing has changed': (response) => response.writeHead(304).end(),
  'a page': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>'),
  'a claim of 10 GB': (response) => response.writeHead(200, { 'content-length': '10737418240' }).write('x'),
  'an error of 10 GB': (response) => response.writeHead(409, { 'content-length': '10737418240' }).write('{'),
  'deep nesting': octets(deep(200_000), 'application/json'),
  'an error in deep nesting': (response) => response.writeHead(409).end(deep(100_000)),
  'a code that is a key of every object': (response) =>
    response.writeHead(409).end('{"error":{"code":"__proto__","message":{"toString":1},"retryable":"yes"}}'),
  'missing links that are none': (response) =>
    response.writeHead(409).end('{"error":{"code":"links_missing","data":{"ids":["ff",{},null]}}}'),
  'missing links without ids': (response) => response.writeHead(409).end('{"error":{"code":"links_missing"}}'),
  'half of it': (response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => response.destroy());
  },
  'a header without end': (response) => {
    response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`);
  },
  'no HTTP': (response) => {
    response.socket?.end('220 mail.example.org ESMTP\r\n');
  },
  'lists in lists, as CBOR': octets(Buffer.alloc(300_001, 0x81)),
  'a list of billions, as CBOR': octets(Buffer.from('9affffffff', 'hex')),
  'zeros under zstd': octets(zstdCompressSync(Buffer.alloc(64 * 1024 * 1024))),
  'zeros under gzip, which says so': (response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(ZEROS_UNDER_GZIP),
  'a byte more than an answer has': octets(Buffer.alloc(4)),
  'lengths that lie': octets(Buffer.from('ffff00ffffffffffffffff', 'hex')),
};

const isCoded = (error: unknown): boolean =>
  error instanceof ArchiveError || error instanceof ProtocolError || error instanceof AgentError;

describe('a server that lies to its devices', () => {
  let server: Server;
  let answer: Answer;
  let storage = '/';
  let endpoint: ArchiveEndpoint;
  let session: ArchiveSession;
  let sent = 0;
  const transport = createTransport({ ca: null, upload: unlimited(), download: unlimited() });

  function unlimited() {
    return createBucket({ ticks: () => 0, sleep: async () => {} });
  }

  /** The authority tells the truth; what is asked of the storage is answered with `answer`. */
  function handle(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const isStorage = request.url?.startsWith('/storage/') === true;
    if (!isStorage) json(granted())(response, request);
    else request.on('end', () => answer(response, request));
  }

  const granted = () => ({
    token: 'token',
    archive: toHex(ARCHIVE),
    expires: 1e15,
    renewAfter: 600,
    destination: { id: '1'.repeat(32), name: 'here', storage: [storage] },
  });

  function connect(): ArchiveEndpoint {
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const retry = { time: { ticks: () => 0, sleep: async () => {} }, random: () => 1, patienceMs: 0 };
    const authority = createRemoteClient({ base, transport, tokens: null, retry });
    return createRemoteEndpoint({ archiveId: ARCHIVE, authority, transport, retry, now: () => 0, destination: null });
  }

  before(async () => {
    server = createServer(handle).listen(0, '127.0.0.1');
    server.on('connection', (socket) => socket.on('close', () => (sent += socket.bytesWritten)).on('error', () => {}));
    await new Promise((resolve) => server.once('listening', resolve));
    endpoint = connect();
    answer = json(SESSION);
    session = await endpoint.openSession('backup');
  });

  after(() => {
    transport.close();
    server.close();
    server.closeAllConnections();
  });

  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    openSession: () => endpoint.openSession('restore'),
    present: () => session.present(null),
    ask: () => session.ask(IDS),
    locate: () => session.locate(IDS),
    putPack: () => session.putPack(new Uint8Array(32), Buffer.from('pack')),
    read: () => session.read(new Uint8Array(32), 0, 10),
    reportLost: () => session.reportLost(IDS),
    close: () => session.close(),
    snapshots: () => endpoint.snapshots(),
    tombstones: () => endpoint.tombstones(),
    deviceLists: () => endpoint.deviceLists(),
    keyFiles: () => endpoint.keyFiles(),
    identityWraps: () => endpoint.identityWraps(),
    putDeviceList: () => endpoint.putDeviceList(1, IDS),
    putKeyFile: () => endpoint.putKeyFile(`00001-${'0'.repeat(32)}.age`, IDS),
    putIdentityWrap: () => endpoint.putIdentityWrap(`${'0'.repeat(32)}.age`, IDS),
  };

  /** A value of the shape that the port promises, or a code. */
  async function ends(call: string): Promise<'refused' | 'believed'> {
    try {
      const value = await calls[call]?.();
      if (call === 'ask') assert.equal((value as Uint8Array).length, 3, 'one answer for each id');
      if (call === 'locate') assert.equal((value as unknown[]).length, 3, 'one answer for each id');
      if (call === 'read') assert.equal((value as Uint8Array).length, 10);
      return 'believed';
    } catch (error) {
      if (!isCoded(error)) throw new Error(`${call} ends with an error without a code`, { cause: error });
      return 'refused';
    }
  }

  for (const [lie, told] of Object.entries(LIES)) {
    it(`${lie}: every call ends, and with a code`, async () => {
      answer = told;
      for (const call of Object.keys(calls)) await ends(call);
    });
  }

  it('is believed by no call when it sends the caller elsewhere', async () => {
    answer = LIES['it sends the caller elsewhere'] as Answer;
    for (const call of Object.keys(calls)) assert.equal(await ends(call), 'refused', call);
  });

  it('cannot fill the memory of a device with an answer that never ends', async () => {
    answer = endless;
    for (const call of ['ask', 'read', 'openSession']) {
      sent = 0;
      const closed = new Promise<void>((resolve) => server.once('connection', (s) => s.once('close', () => resolve())));
      transport.close();
      assert.equal(await ends(call), 'refused', call);
      await closed; // which is when all that was sent is counted
      assert.ok(sent < 96 * 1024 * 1024, `${call} took ${sent} bytes`);
    }
  });

  it('with names of its own in a list of snapshots hides none of the others', async () => {
    const good = 'a'.repeat(64);
    const names = [
      'snapshots/zz',
      'snapshots/ab',
      `receipts/${'b'.repeat(63)}G`,
      'snapshots/',
      '../x',
      `snapshots/${good}`,
    ];
    answer = octets(Buffer.concat(names.map((name) => encodeObject({ name, bytes: Uint8Array.of(1) }))));
    assert.deepEqual(
      (await endpoint.snapshots()).map(({ id }) => toHex(id)),
      [good],
    );
  });

  it('that names a storage without HTTPS, or none at all, is sent no capability', async () => {
    for (const address of ['ftp://127.0.0.1/', 'http://[', 'javascript:1', 'file:///etc']) {
      storage = address;
      await assert.rejects(connect().snapshots(), { code: 'bad_reply' }, address);
    }
    storage = '/';
  });

  it('with any bytes for an answer', async () => {
    const location = { packId: new Uint8Array(32), offset: 28, length: 100, kind: 1 };
    const head = { full: true, total: 2 ** 32 - 1, cursor: '1.x', removed: new Uint8Array(16) };
    const originals = [
      encodeLocations([location, null, location]),
      Buffer.concat([encodePresentHead(head), new Uint8Array(32)]),
      encodeObject({ name: `snapshots/${'a'.repeat(64)}`, bytes: IDS }),
      Buffer.from(JSON.stringify(SESSION)),
    ];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.constantFrom(...originals), fc.nat(), fc.nat(255), fc.nat()).map(([original, at, byte, end]) => {
        const changed = Buffer.from(original);
        changed[at % changed.length] = byte;
        return changed.subarray(0, end % 3 === 0 ? end % (changed.length + 1) : undefined);
      }),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom(...Object.keys(calls)), async (body, call) => {
        answer = octets(body);
        await ends(call);
      }),
      { numRuns: 400 },
    );
  });
});
