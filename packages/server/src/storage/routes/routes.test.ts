import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { sealToRecipient } from '@holdfast/archive/keys/age-file.ts';
import { generateIdentity } from '@holdfast/archive/keys/identity.ts';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import type { Client } from '@holdfast/protocol/client.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { MAX_PACK, storageRoutes as routes } from '@holdfast/protocol/storage-routes.ts';
import { decodeLocations, decodeObjects, decodePresent, encodeCommit } from '@holdfast/protocol/storage-wire.ts';
import { onBothDatabases } from '../../database/testing/both.ts';
import { deviceHex, type HttpStorage, startHttpStorage } from '../testing/http-storage.ts';
import { id, type MadePack, makePack, makeSnapshot } from '../testing/made.ts';
import { type Clock, newKeys, START_OF_TIME, testPorts } from '../testing/test-point.ts';

const archiveId = new Uint8Array(16).fill(1);
const archive = archiveId.toHex();
const deviceId = Uint8Array.fromHex(deviceHex);

const refused = (code: string, data?: Record<string, unknown>) => (error: unknown) => {
  assert.ok(error instanceof ProtocolError, String(error));
  assert.equal(error.code, code);
  if (data) assert.deepEqual(error.data, data);
  return true;
};

onBothDatabases('the storage routes', (fresh) => {
  const clock: Clock = { now: START_OF_TIME };
  const blobs = new MemoryStore();
  let served: HttpStorage;
  let writer: Client;
  let reader: Client;

  before(async () => {
    const index = await fresh();
    served = await startHttpStorage({ ...testPorts(clock), points: [{ name: 'only', index, blobs }] });
    await served.storage.ready;
    writer = await served.client(archive, 'backup');
    reader = await served.client(archive, 'restore');
  });
  after(() => served.close());

  const open = async (client = writer, purpose: 'backup' | 'restore' = 'backup') => {
    const { session } = await client.call(routes.openSession, { params: { archive }, body: { purpose } });
    return { archive, session };
  };
  const put = (params: { archive: string; session: string }, pack: MadePack) =>
    writer.call(routes.putPack, { params: { ...params, pack: pack.id.toHex() }, body: pack.bytes });
  const snapshotOf = (root: Uint8Array, keys = served.keys) => makeSnapshot(keys, { archiveId, deviceId, root });

  test('take a backup and give it back', async () => {
    const params = await open();
    const packed = makePack(archiveId, [{ id: id('a'), size: 5000 }, { id: id('b') }]);
    assert.deepEqual(await put(params, packed), { result: 'stored' });
    assert.deepEqual(await put(params, packed), { result: 'exists' });
    const ids = Buffer.concat([id('a'), id('x'), id('b')]);
    assert.deepEqual([...(await writer.call(routes.ask, { params, body: ids }))], [1, 0, 1]);

    const trees = makePack(archiveId, [{ id: id('t'), links: [id('a'), id('b')] }]);
    const snapshot = snapshotOf(id('t'));
    const commit = {
      params,
      query: { pack: trees.id.toHex() },
      body: encodeCommit(snapshot.object, trees.bytes),
    };
    const receipt = await writer.call(routes.commit, commit);
    assert.deepEqual(await writer.call(routes.commit, commit), receipt, 'asked again because the answer got lost');
    await assert.rejects(writer.call(routes.ask, { params, body: ids }), refused('session_ended'));

    const listed = decodeObjects(await reader.call(routes.snapshots, { params: { archive } }));
    const name = snapshot.id.toHex();
    assert.deepEqual(
      listed.map((object) => object.name),
      [`snapshots/${name}`, `receipts/${name}`],
    );
    assert.deepEqual(listed[0]?.bytes, new Uint8Array(snapshot.object));
    assert.deepEqual(listed[1]?.bytes, new Uint8Array(receipt));

    const restore = await open(reader, 'restore');
    const [a, x] = decodeLocations(await reader.call(routes.locate, { params: restore, body: ids }));
    assert.equal(x, null);
    assert.deepEqual(a?.packId, packed.id);
    const { offset = 0, length = 0 } = a ?? {};
    const pack = { ...restore, pack: packed.id.toHex() };
    const range = { headers: { range: `bytes=${offset}-${offset + length - 1}` } };
    const part = await reader.stream(routes.readPack, { params: pack }, range);
    assert.equal(part.status, 206);
    assert.equal(part.headers.get('content-range'), `bytes ${offset}-${offset + length - 1}/${packed.bytes.length}`);
    const bytes = new Uint8Array(await part.arrayBuffer(1e9));
    assert.deepEqual(bytes, packed.bytes.slice(offset, offset + length));
    assert.deepEqual(new Uint8Array(await reader.call(routes.readPack, { params: pack })), packed.bytes);

    const present = decodePresent(await reader.call(routes.present, { params: restore }));
    assert.deepEqual([present.full, present.prefixes.length, present.total], [true, 48, 3]);
    const { cursor } = present;
    const later = decodePresent(await reader.call(routes.present, { params: restore, query: { cursor } }));
    assert.deepEqual([later.full, later.prefixes.length], [false, 0]);

    await reader.call(routes.reportLost, { params: restore, body: id('b') });
    assert.deepEqual([...(await reader.call(routes.ask, { params: restore, body: ids }))], [1, 0, 0]);
    await reader.call(routes.closeSession, { params: restore });
    await reader.call(routes.closeSession, { params: restore });
    await assert.rejects(reader.call(routes.locate, { params: restore, body: ids }), refused('session_ended'));
  });

  test('name the links that lead nowhere', async () => {
    const params = await open();
    const pack = makePack(archiveId, [{ id: id('d'), links: [id('nowhere')] }]);
    await assert.rejects(put(params, pack), refused('links_missing', { ids: [id('nowhere').toHex()] }));
    const { object } = snapshotOf(id('nowhere'));
    const commit = writer.call(routes.commit, { params, body: encodeCommit(object) });
    await assert.rejects(commit, refused('links_missing', { ids: [id('nowhere').toHex()] }));
  });

  test('let nobody write with the right to read, or into another archive', async () => {
    await assert.rejects(open(reader, 'backup'), refused('forbidden', { permission: 'capability:write' }));
    const params = await open();
    const pack = makePack(archiveId, [{ id: id('e') }]);
    const asReader = reader.call(routes.putPack, { params: { ...params, pack: pack.id.toHex() }, body: pack.bytes });
    await assert.rejects(asReader, refused('forbidden', { permission: 'capability:write' }));
    const other = { ...params, archive: '02'.repeat(16) };
    await assert.rejects(writer.call(routes.ask, { params: other, body: id('a') }), refused('forbidden'));
    const stranger = await served.client(archive, 'backup', '08'.repeat(16));
    await assert.rejects(stranger.call(routes.ask, { params, body: id('a') }), refused('session_ended'));
    const theirs = stranger.call(routes.putPack, { params: { ...params, pack: pack.id.toHex() }, body: pack.bytes });
    await assert.rejects(theirs, refused('session_ended'));
    await stranger.call(routes.closeSession, { params });
    await writer.call(routes.ask, { params, body: id('a') });
  });

  test('know nothing of an archive that was never written to', async () => {
    const unknown = '09'.repeat(16);
    const client = await served.client(unknown, 'restore');
    const params = { archive: unknown };
    await assert.rejects(client.call(routes.snapshots, { params }), refused('archive_unknown'));
    const opened = client.call(routes.openSession, { params, body: { purpose: 'restore' } });
    await assert.rejects(opened, refused('archive_unknown'));
  });

  test('refuse bodies that are no ids, too large, or end in the middle', async () => {
    const params = await open();
    const odd = writer.call(routes.ask, { params, body: new Uint8Array(33) });
    await assert.rejects(odd, refused('invalid_request'));
    const huge = { ...params, pack: id('huge').toHex() };
    await assert.rejects(
      writer.call(routes.putPack, { params: huge, body: new Uint8Array(MAX_PACK + 1) }),
      (error) =>
        error instanceof ProtocolError && ['body_too_large', 'unreachable', 'pack_damaged'].includes(error.code),
    );
    for (const body of [new Uint8Array(3), encodeCommit(new Uint8Array(10)).subarray(0, 8), new Uint8Array(4)])
      await assert.rejects(writer.call(routes.commit, { params, body }), refused('invalid_request'));
    const { object } = snapshotOf(id('a'));
    const trailing = Buffer.concat([encodeCommit(object), Buffer.from('x')]);
    await assert.rejects(writer.call(routes.commit, { params, body: trailing }), refused('invalid_request'));
    const strangers = encodeCommit(snapshotOf(id('a'), newKeys()).object);
    await assert.rejects(writer.call(routes.commit, { params, body: strangers }), refused('snapshot_refused'));
  });

  test('survive a device that hangs up in the middle of a pack', async () => {
    const params = await open();
    const pack = makePack(archiveId, [{ id: id('f'), size: 100_000 }]);
    const before = (await Array.fromAsync(blobs.list(''))).length;
    const { hostname, port } = new URL(served.base);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const path = `/storage/v1/archives/${archive}/sessions/${params.session}/packs/${pack.id.toHex()}`;
    socket.write(
      `PUT ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await served.token(archive, 'backup')}\r\n` +
        `Content-Type: application/octet-stream\r\nContent-Length: ${pack.bytes.length}\r\n\r\n`,
    );
    await new Promise((resolve) => socket.write(pack.bytes.subarray(0, 50_000), resolve));
    socket.destroy();
    await once(socket, 'close');
    assert.deepEqual(await put(params, pack), { result: 'stored' });
    assert.equal((await Array.fromAsync(blobs.list(''))).length, before + 1);
  });

  test('keep key files, wraps and device lists', async () => {
    const identity = await generateIdentity((target) => randomFillSync(target));
    const file = new Uint8Array(await sealToRecipient(Buffer.from('keys'), identity.recipient));
    const key = { archive, name: `00001-${'ab'.repeat(16)}.age` };
    const wrap = { archive, name: `${'cd'.repeat(16)}.age` };
    await writer.call(routes.putKeyFile, { params: key, body: file });
    await writer.call(routes.putIdentityWrap, { params: wrap, body: file });
    const other = new Uint8Array(await sealToRecipient(Buffer.from('keys'), identity.recipient));
    await assert.rejects(writer.call(routes.putKeyFile, { params: key, body: other }), refused('conflict'));
    assert.deepEqual(new Uint8Array(await reader.call(routes.keyFile, { params: key })), file);
    const listed = decodeObjects(await reader.call(routes.keyFiles, { params: { archive } }));
    assert.deepEqual(listed, [{ name: key.name, bytes: file }]);
    const wraps = decodeObjects(await reader.call(routes.identityWraps, { params: { archive } }));
    assert.deepEqual(wraps, [{ name: wrap.name, bytes: file }]);
    assert.deepEqual(
      (await served.storage.readIdentityWraps(archive, wrap.name)).map((each) => new Uint8Array(each)),
      [file],
    );
    assert.deepEqual(await served.storage.readIdentityWraps('0a'.repeat(16), wrap.name), []);
    const missing = { archive, name: `${'ef'.repeat(16)}.age` };
    await assert.rejects(reader.call(routes.identityWrap, { params: missing }), refused('object_missing'));
    await assert.rejects(reader.call(routes.keyFile, { params: { archive, name: 'x' } }), refused('name_invalid'));
    const forged = writer.call(routes.putDeviceList, { params: { archive, counter: '1' }, body: file });
    await assert.rejects(forged, refused('invalid_request'));
    assert.equal((await reader.call(routes.deviceLists, { params: { archive } })).length, 0);
    assert.equal((await reader.call(routes.tombstones, { params: { archive } })).length, 0);
  });

  test('are served by what maintenance looks after as well', async () => {
    await served.storage.maintenance.settled();
    assert.deepEqual(await served.storage.maintenance.run('all'), {
      finished: 4,
      waiting: 0,
      skipped: 0,
      failed: 0,
      alerts: 0,
    });
  });
});

describe('a store point whose index is being rebuilt', () => {
  test('asks its devices to come back later', async () => {
    const blobs = new MemoryStore();
    const clock = { now: START_OF_TIME };
    const index = { kind: 'sqlite', file: ':memory:' } as const;
    const first = await startHttpStorage({ ...testPorts(clock), points: [{ name: 'only', index, blobs }] });
    await first.storage.ready;
    const openIn = async (client: Client) =>
      client.call(routes.openSession, { params: { archive }, body: { purpose: 'backup' } });
    await openIn(await first.client(archive, 'backup'));
    await blobs.put(`archives/${archive}/policy`, Buffer.from('{"inForce":{}}'));
    await first.close();

    const gate = Promise.withResolvers<void>();
    const slow = Object.assign(Object.create(blobs), {
      async *list(prefix: string, options?: object) {
        await gate.promise;
        yield* blobs.list(prefix, options);
      },
    });
    const second = await startHttpStorage({ ...testPorts(clock), points: [{ name: 'only', index, blobs: slow }] });
    const client = await second.client(archive, 'backup');
    await assert.rejects(openIn(client), (error) => {
      refused('busy')(error);
      assert.ok(((error as ProtocolError).retryAfterMs ?? 0) > 0);
      return true;
    });
    gate.resolve();
    await second.storage.ready;
    await openIn(client);
    await second.close();
  });
});
