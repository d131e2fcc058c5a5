/** Decoders of protocol and server: bodies of either side, the server's own files, kit and dump. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inPortWords } from '@holdfast/agent/remote/wire-errors.ts';
import { createClient } from '@holdfast/protocol/client.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { formatEnrolment, parseEnrolment } from '@holdfast/protocol/enrolment-string.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Route } from '@holdfast/protocol/route.ts';
import {
  decodeLocations,
  decodeObjects,
  decodePresent,
  encodeCommit,
  encodeLocations,
  encodeObject,
  encodePresentHead,
} from '@holdfast/protocol/storage-wire.ts';
import { type DumpItem, decodeDump, encodeDump } from '@holdfast/server/authority/dump/dump-format.ts';
import { sealWithPassphrase } from '@holdfast/server/authority/keyring/age.ts';
import { capabilityVerifier, signCapability } from '@holdfast/server/authority/keyring/capability-signer.ts';
import { createKeystore, FILES, openKeystore, readRecovery } from '@holdfast/server/authority/keyring/keystore.ts';
import { confirmKit, makeKit, openKit } from '@holdfast/server/authority/keyring/kit.ts';
import { normalizeWords } from '@holdfast/server/authority/keyring/words.ts';
import { splitCommit } from '@holdfast/server/storage/ingest/commit-body.ts';
import { readPolicy } from '@holdfast/server/storage/maintenance/policy.ts';
import { parseRange } from '@holdfast/server/storage/reads/read-pack.ts';
import { asProtocolError } from '@holdfast/server/storage/wire-errors.ts';
import { type Decoder, placeOf, textOf, utf8, withWork } from './decoder.ts';

const ID = '0a'.repeat(16);
const NOW = Date.UTC(2026, 2, 10);

const CONTEXT = {
  device: { id: ID, guid: '100000000000000001', name: 'laptop' },
  user: { id: ID, username: 'ada', keyLevel: 'account', mustChangePassword: false },
  organization: { id: ID, name: 'Example' },
  archive: { id: ID, state: 'ready', recipient: 'age1pq1qqqq', signingKey: '0b'.repeat(32), madeBy: null },
  formerDevices: [],
  destinations: [{ id: ID, name: 'main', storage: ['/'] }],
  server: { id: ID, version: '4.1.5', receiptKey: '0c'.repeat(32), escrowRecipient: 'age1pq1qqqq' },
};

/** What the client makes of an answer. */
const answer =
  (route: Route, status: number) =>
  (bytes: Uint8Array): Promise<unknown> => {
    const headers = { get: () => null };
    const arrayBuffer = async () => new Uint8Array(bytes).buffer;
    const client = createClient({
      base: 'https://backup.example.org',
      transport: async () => ({ status, headers, body: null, arrayBuffer }),
    });
    return client.call(route, {} as never);
  };

const wire = (name: string, of: string, read: (bytes: Uint8Array) => unknown, golden: Uint8Array): Decoder => ({
  name,
  of: [`protocol/storage-wire.ts ${of}`],
  decode: (bytes) => inPortWords(async () => read(bytes)),
  golden: [golden],
});

const place = { packId: new Uint8Array(32).fill(1), offset: 28, length: 99, kind: 1 };
const objects = [
  { name: 'snapshots/a', bytes: utf8('one') },
  { name: 'receipts/a', bytes: utf8('') },
];
const present = { full: true, total: 2, cursor: '1.2', removed: new Uint8Array(16) };

const PROTOCOL: readonly Decoder[] = [
  {
    name: 'enrolment string',
    of: ['protocol/enrolment-string.ts parseEnrolment'],
    decode: (bytes) => parseEnrolment(textOf(bytes)),
    golden: ['backup.example.org', '[2001:db8::1]'].map((host) =>
      utf8(`holdfast1:${host}:4285:${'0a'.repeat(32)}:0123-4567-89AB-CDEF`),
    ),
    encode: (enrolment: ReturnType<typeof parseEnrolment>) => utf8(formatEnrolment(enrolment)),
  },
  {
    name: 'answer of a server',
    of: ['protocol/client.ts createClient'],
    decode: answer(deviceRoutes.context, 200),
    golden: [utf8(JSON.stringify(CONTEXT))],
    weight: 2,
  },
  {
    ...wire('places of chunks', 'decodeLocations', decodeLocations, encodeLocations([place, null])),
    encode: encodeLocations,
  },
  wire('present ids', 'decodePresent', decodePresent, Buffer.concat([encodePresentHead(present), new Uint8Array(32)])),
  {
    ...wire('list of objects', 'decodeObjects', decodeObjects, Buffer.concat(objects.map(encodeObject))),
    encode: (found: typeof objects) => Buffer.concat(found.map(encodeObject)),
  },
];

/** Always ends in a refusal; a golden one says so itself. */
const REFUSAL: Decoder = {
  name: 'refusal of a server',
  of: ['protocol/client.ts createClient'],
  decode: async (bytes) => {
    try {
      await answer(deviceRoutes.context, 503)(bytes);
    } catch (error) {
      if (error instanceof ProtocolError && error.code === 'busy') return error.code;
      throw error;
    }
    throw new Error('it was taken for a success');
  },
  golden: [utf8(JSON.stringify(new ProtocolError('busy', { data: { a: 1 } }).toEnvelope()))],
};

const folder = placeOf('server');
mkdirSync(folder, { recursive: true });
const keystore = await createKeystore(join(folder, 'keystore'), NOW);
const kitFile = join(folder, 'kit.age');
/** The cheapest that the words may be to try: what is inside is tried here. */
const SCRYPT_WORK = 2;
const words = await makeKit(keystore, kitFile, { now: NOW, random: randomBytes, scryptWork: SCRYPT_WORK });
const kit = await openKit(kitFile, words);
const capability = await signCapability(
  keystore.capability,
  {
    issuer: keystore.serverId,
    device: { id: ID, publicKey: keystore.receipt.publicKey },
    archive: ID,
    destination: ID,
    user: ID,
    purpose: 'backup',
  },
  NOW,
);
const verifyCapability = capabilityVerifier(
  { serverId: keystore.serverId, publicKey: keystore.capability.publicKey },
  () => NOW,
);

function keystoreFile(name: string, of: string, read: () => unknown): Decoder {
  const file = join(keystore.folder, name);
  const whole = readFileSync(file);
  const decode = async (bytes: Uint8Array) => {
    writeFileSync(file, bytes);
    try {
      return await read();
    } finally {
      writeFileSync(file, whole);
    }
  };
  return { name: `keystore ${name}`, of: [`server/authority/keyring/${of}`], decode, golden: [whole], weight: 8 };
}

async function* dumped(): AsyncGenerator<DumpItem> {
  const steps = ['0001_foundation'];
  yield { kind: 'header', header: { dump: 1, serverId: ID, made: NOW, version: '4.1.5', steps } };
  yield { kind: 'table', table: 'users', columns: ['id', 'name', 'key'] };
  yield { kind: 'row', cells: [1, 'ada', Uint8Array.of(0, 1, 2)] };
  yield { kind: 'file', name: 'ca.key', content: Uint8Array.of(0, 1, 2) };
}

const dump = Buffer.from((await Array.fromAsync(encodeDump(dumped()))).join(''));

async function* chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 64) yield bytes.subarray(at, at + 64);
}

const policy = { inForce: { default: { steps: [{ everyMinutes: 15, untilDays: null }] }, holds: [] } };

const SERVER: readonly Decoder[] = [
  {
    name: 'recovery kit',
    of: ['server/authority/keyring/kit.ts openKit'],
    decode: async (bytes) => {
      writeFileSync(kitFile, bytes);
      return openKit(kitFile, words);
    },
    golden: [readFileSync(kitFile)],
    lies: [20, 30].map((work) => withWork(readFileSync(kitFile), work)),
    weight: 8,
  },
  {
    name: 'inside of a recovery kit',
    of: ['server/authority/keyring/kit.ts confirmKit'],
    decode: async (bytes) => {
      writeFileSync(kitFile, await sealWithPassphrase(words, bytes, SCRYPT_WORK));
      return confirmKit(keystore, kitFile, words, NOW);
    },
    golden: [utf8(JSON.stringify(kit))],
    weight: 16,
  },
  {
    name: 'words of a recovery kit',
    of: ['server/authority/keyring/words.ts normalizeWords'],
    decode: (bytes) => normalizeWords(textOf(bytes)),
    golden: [utf8(words)],
  },
  {
    name: 'dump',
    of: ['server/authority/dump/dump-format.ts decodeDump'],
    decode: (bytes) => Array.fromAsync(decodeDump(chunks(bytes))),
    golden: [dump],
    weight: 2,
  },
  keystoreFile(FILES.server, 'keystore.ts openKeystore', () => openKeystore(keystore.folder)),
  keystoreFile(FILES.caCertificate, 'keystore.ts openKeystore', () => openKeystore(keystore.folder)),
  keystoreFile(FILES.capability, 'signing-key.ts parseSigningKey', () => openKeystore(keystore.folder)),
  keystoreFile(FILES.escrow, 'keystore.ts openKeystore', () => openKeystore(keystore.folder)),
  keystoreFile(FILES.recovery, 'keystore.ts readRecovery', () => readRecovery(keystore.folder)),
  {
    name: 'capability',
    of: ['server/authority/keyring/capability-signer.ts capabilityVerifier'],
    decode: (bytes) => verifyCapability(textOf(bytes)),
    golden: [utf8(capability.token)],
    weight: 2,
  },
  {
    name: 'body of a commit',
    of: ['server/storage/ingest/commit-body.ts splitCommit'],
    decode: async (bytes) => {
      try {
        const { object, rest } = await splitCommit(chunks(bytes));
        return [object, await Array.fromAsync(rest)];
      } catch (error) {
        throw asProtocolError(error);
      }
    },
    golden: [encodeCommit(utf8('a snapshot'), utf8('a pack'))],
  },
  {
    name: 'policy of an archive',
    of: ['server/storage/maintenance/policy.ts readPolicy'],
    decode: (bytes) => readPolicy({ get: async () => bytes }, new Uint8Array(16)),
    golden: [utf8(JSON.stringify(policy))],
  },
  {
    name: 'range of a pack',
    of: ['server/storage/reads/read-pack.ts parseRange'],
    decode: (bytes) => parseRange(textOf(bytes), 1000),
    golden: ['bytes=0-9', 'bytes=5-', 'bytes=-7'].map(utf8),
  },
];

export const PROTOCOL_DECODERS: readonly Decoder[] = [...PROTOCOL, REFUSAL];
export const SERVER_DECODERS: readonly Decoder[] = SERVER;
