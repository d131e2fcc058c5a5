import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { archiveEndpointContract } from '@holdfast/archive/endpoint/contract.ts';
import { type ArchiveFixture, makeArchiveFixture } from '@holdfast/archive/endpoint/testing/archive-fixture.ts';
import { fromHex, toHex } from '@holdfast/archive/format/ids.ts';
import { generateIdentity } from '@holdfast/archive/keys/identity.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { enrolmentProof, enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { messageSigner } from '../keys/device-keys.ts';
import { systemTime } from '../limits/system-time.ts';
import type { Time } from '../limits/token-bucket.ts';
import { type Connection, connect } from './connection.ts';

/** A server that has just started asks for half a minute; a test does not take it at its word. */
const real = systemTime(Date.now);
const time: Time = { ...real, sleep: (ms, signal) => real.sleep(Math.min(ms, 20), signal) };
const network = { time, random: Math.random, patienceMs: 60_000 };

/** A new user whose device holds the fixture's key and has registered the fixture's archive. */
async function deviceOf(server: TestServer, a: ArchiveFixture): Promise<Connection> {
  const identity = await generateIdentity((target) => crypto.getRandomValues(target as Uint8Array<ArrayBuffer>));
  const user = await server.addUser(`user ${toHex(a.archiveId)}`.replace(' ', '-'));
  const registrationKey = await server.registrationKey();
  const proof = messageSigner(a.deviceKey.seed)(enrolmentProof(registrationKey, user.username, identity.recipient));
  const device = {
    name: 'laptop',
    os: { platform: 'linux', release: '6', arch: 'x64' },
    version: '4.1.5',
    publicKey: toHex(a.deviceKey.publicKey),
    recipient: identity.recipient,
    proof: toHex(proof),
  };
  const { username, password } = user;
  const enrolled = await server
    .client()
    .call(enrolmentRoutes.enrol, { body: { registrationKey, username, password, device } });
  // The server names devices, the fixture its own: the snapshots are to be this device's
  (a as { deviceId: Uint8Array }).deviceId = fromHex(enrolled.device.id);
  const authority = { base: server.base, caCertificate: server.ca };
  const connection = connect({ ...network, device: { authority, credential: enrolled.credential } });
  const body = {
    archive: toHex(a.archiveId),
    recipient: identity.recipient,
    signingKey: toHex(identity.signing.publicKey),
  };
  await connection.authority.call(deviceRoutes.registerArchive, { body });
  return connection;
}

describe('an archive on a server', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  archiveEndpointContract('an archive over HTTPS', async (a) => {
    const connection = await deviceOf(server, a);
    return { endpoint: connection.endpoint(toHex(a.archiveId), null), close: async () => connection.close() };
  });

  it('is told apart from one of another authority', async () => {
    const other = await startTestServer();
    try {
      const authority = { base: server.base, caCertificate: other.ca };
      const connection = connect({ ...network, device: { authority, credential: 'x' } });
      await assert.rejects(connection.context(), { code: 'ca_changed', retryable: false });
      connection.close();
    } finally {
      await other.close();
    }
  });

  it('answers many more ids than one request may carry', async () => {
    const a = await makeArchiveFixture();
    const connection = await deviceOf(server, a);
    const session = await connection.endpoint(toHex(a.archiveId), null).openSession('backup');
    const chunk = a.data('x');
    const pack = a.pack(chunk);
    await session.putPack(pack.id, pack.bytes);
    const many = Buffer.alloc(40_000 * 32, 7);
    Buffer.from(chunk.id).copy(many, 39_999 * 32);
    const answers = await session.ask(many);
    assert.equal(answers.length, 40_000);
    assert.equal(answers.indexOf(1), 39_999);
    assert.equal(
      (await session.locate(many)).findIndex((place) => place !== null),
      39_999,
    );
    await session.close();
    connection.close();
  });
});
