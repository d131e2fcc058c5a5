import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '@holdfast/protocol/client.ts';
import { type DeviceContext, enrolmentProof, enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import { pino } from 'pino';
import { type AgeKey, newAgeKey } from '../authority/keyring/age.ts';
import { theOrganization } from '../authority/organization/store.ts';
import { createPasswords } from '../authority/sign-in/passwords.ts';
import { createUser, SYSTEM } from '../authority/users/create.ts';
import { type DatabaseConfig, loadConfig, type ServerConfig } from '../config.ts';
import { type RunningServer, startServer } from '../server.ts';
import { pinnedTransport } from './transport.ts';

/** A real server on free ports in a folder of its own, and what a test needs to talk to it like a user. */
export type TestServer = {
  readonly server: RunningServer;
  readonly config: ServerConfig;
  readonly base: string;
  readonly httpBase: string;
  readonly ca: string;
  client(token?: string): Client;
  /** Creates a user with a password of their own, past the one-time one. */
  addUser(username: string, roles?: readonly string[]): Promise<{ id: string; username: string; password: string }>;
  /** Creates a user as an administrator does, with a password for one time. */
  addNewcomer(username: string): Promise<{ id: string; username: string; password: string }>;
  signIn(user: { username: string; password: string }): Promise<Client>;
  enrol(user: { username: string; password: string }, name?: string): Promise<TestDevice>;
  registrationKey(): Promise<string>;
  close(): Promise<void>;
};

export type TestDevice = DeviceContext & { credential: string; client: Client; key: KeyObject; age: AgeKey };

/** Fast hashes: the suites check who gets in, not how long guessing takes. */
const passwords = createPasswords((n) => randomBytes(n), { memoryKib: 64, passes: 1 });

export type TestServerOptions = {
  readonly database?: DatabaseConfig;
  /** Kept when given, else made and removed. */
  readonly dataDir?: string;
  /** The port of a server that is started again; a free one unless given. */
  readonly httpsPort?: number;
  readonly now?: () => number;
};

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const own = options.dataDir === undefined ? mkdtempSync(join(tmpdir(), 'holdfast-server-')) : null;
  const loaded = loadConfig(
    {
      data: options.dataDir ?? join(own ?? '', 'data'),
      httpPort: '0',
      httpsPort: String(options.httpsPort ?? 0),
      listen: '127.0.0.1',
      address: 'localhost',
    },
    {},
  );
  const config = { ...loaded, ...(options.database && { database: options.database }) };
  const log = pino({ level: 'silent' });
  const server = await startServer({ config, log, passwords, ...(options.now && { now: options.now }) });
  await server.storageReady;
  const { context, keystore } = server.foundation;
  const ca = keystore.ca.certificate;
  const base = `https://localhost:${server.httpsPort}`;
  const client = (token?: string) => createClient({ base, transport: pinnedTransport(ca), token: () => token ?? null });
  const registrationKey = async () => (await theOrganization(context.database.kysely)).registration_key;

  return {
    server,
    config,
    base,
    httpBase: `http://localhost:${server.httpPort}`,
    ca,
    client,
    registrationKey,
    async addUser(username, roles) {
      const organization = (await theOrganization(context.database.kysely)).id;
      const password = `password of ${username}`;
      const request = { organization, username, password, roles };
      const { user } = await createUser(context, passwords, SYSTEM, request);
      return { id: user.id, username, password };
    },
    async addNewcomer(username) {
      const organization = (await theOrganization(context.database.kysely)).id;
      const { user, oneTimePassword } = await createUser(context, passwords, SYSTEM, { organization, username });
      return { id: user.id, username, password: oneTimePassword ?? '' };
    },
    async signIn({ username, password }) {
      const { token } = await client().call(identityRoutes.signIn, { body: { username, password } });
      return client(token);
    },
    async enrol({ username, password }, name = 'laptop') {
      const request = await enrolment({ registrationKey: await registrationKey(), username, password, name });
      const reply = await client().call(enrolmentRoutes.enrol, { body: request.body });
      return { ...reply, client: client(reply.credential), key: request.key, age: request.age };
    },
    async close() {
      await server.close();
      if (own !== null) rmSync(own, { recursive: true, force: true });
    },
  };
}

/** The body of an enrolment as an agent makes it, with the private keys it made. */
export async function enrolment(of: { registrationKey: string; username: string; password: string; name: string }) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const age = await newAgeKey();
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const proof = sign(null, enrolmentProof(of.registrationKey, of.username, age.recipient), privateKey);
  const body = {
    registrationKey: of.registrationKey,
    username: of.username,
    password: of.password,
    device: {
      name: of.name,
      os: { platform: 'linux', release: '6.1', arch: 'x64' },
      version: '4.1.5',
      publicKey: Buffer.from(x, 'base64url').toString('hex'),
      recipient: age.recipient,
      proof: proof.toString('hex'),
    },
  };
  return { body, key: privateKey, age };
}
