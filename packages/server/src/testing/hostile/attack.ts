/**
 * Attacks every route of a running server with valid requests that were made wrong, with and without a right to call it.
 *
 * A *target* is a route with a valid request for it; a *way* makes it wrong (mutate.ts); a *finding* is what must not be: an answer
 * without a code, `internal`, no answer at all, or something stored by a request that was refused.
 */

import { randomBytes } from 'node:crypto';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { isOctets, type Route } from '@holdfast/protocol/route.ts';
import { storageRoutes } from '@holdfast/protocol/storage-routes.ts';
import { encodeCommit } from '@holdfast/protocol/storage-wire.ts';
import type { z } from 'zod';
import { newAgeKey, sealTo } from '../../authority/keyring/age.ts';
import { type Database, openDatabase } from '../../database/open.ts';
import { id, makePack, makeSnapshot } from '../../storage/testing/made.ts';
import { newKeys } from '../../storage/testing/test-point.ts';
import { archiveWorld } from '../archive-world.ts';
import { startTestServer, type TestDevice, type TestServer, type TestServerOptions } from '../test-server.ts';
import type { Draw } from './draw.ts';
import { type Answer, codeOf, exchange, type Port, problemOf } from './exchange.ts';
import { type Body, type Parts, WAYS, type Way, type WireRequest } from './mutate.ts';
import { sampleOf } from './sample.ts';
import { differences, type Stored, storedFiles, storedRows } from './stored.ts';

/** Who calls: with what the route asks for, with nothing, with what is made up, or with a right to an archive that never was. */
const CALLERS = ['allowed', 'allowed', 'allowed', 'nobody', 'made up', 'to another archive'] as const;
type Caller = (typeof CALLERS)[number];

export type Finding = { readonly what: string; readonly route: string; readonly way: string; readonly request: string };

type Rights = {
  readonly username: string;
  readonly password: string;
  readonly session: string;
  readonly device: TestDevice;
  readonly archive: string;
  readonly capability: string;
  readonly storageSession: string;
  /** Of a user whose archive is registered, and that no storage has seen. */
  readonly elsewhere: { readonly archive: string; readonly capability: string };
};

export class Attack {
  readonly server: TestServer;
  private readonly draw: Draw;
  private readonly databases: readonly [string, Database<unknown>][];
  private rights: Rights;
  private stored: Stored = new Map();
  private users = 0;
  /** How many answers there were of each status. */
  readonly statuses = new Map<number, number>();

  private constructor(server: TestServer, draw: Draw, rights: Rights, databases: [string, Database<unknown>][]) {
    this.server = server;
    this.draw = draw;
    this.rights = rights;
    this.databases = databases;
  }

  static async start(draw: Draw, options: TestServerOptions = {}): Promise<Attack> {
    const server = await startTestServer(options);
    const { database, indexDatabase } = server.config;
    const databases = [database, indexDatabase].map((config, i): [string, Database<unknown>] => [
      i === 0 ? 'authority' : 'index',
      openDatabase(config, { readOnly: true }),
    ]);
    const attack = new Attack(server, draw, {} as Rights, databases);
    await attack.renewRights();
    return attack;
  }

  async close(): Promise<void> {
    for (const [, database] of this.databases) await database.close();
    await this.server.close();
  }

  get routes(): readonly Route[] {
    return this.server.server.routes;
  }

  /** One request against `route`; what is wrong with how it ended. */
  async once(route: Route, way: string): Promise<Finding | null> {
    return this.send(route, this.draw.pick(CALLERS), way, WAYS[way] as Way);
  }

  /** As `once`, from somebody who may call the route. */
  async allowed(route: Route, name: string, way: Way): Promise<Finding | null> {
    return this.send(route, 'allowed', name, way);
  }

  private async send(route: Route, caller: Caller, way: string, make: Way): Promise<Finding | null> {
    const parts = await this.partsFor(route, caller);
    const request = make(parts, this.draw);
    const ended = await exchange(this.portFor(route), request);
    const answer = ended === 'hang' ? null : ended;
    if (answer !== null) this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
    const what = problemOf(ended, request) ?? (await this.leftBehind(route, answer));
    if (answer !== null && answer.status < 300 && !request.head.startsWith('GET')) await this.renewRights();
    return what === null
      ? null
      : { what, route: `${route.method} ${route.path}`, way: `${way}, ${caller}`, request: shown(request) };
  }

  /** Is anybody still answering? */
  async lives(): Promise<boolean> {
    const head = 'GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n';
    const answer = await exchange(this.secure, { head, body: new Uint8Array(0) });
    return answer !== 'hang' && answer?.status === 200;
  }

  private get secure(): Port {
    return { port: this.server.server.httpsPort, ca: this.server.ca };
  }

  /** Public routes are attacked on the port without TLS as well. */
  private portFor({ permission }: Route): Port {
    return permission === 'public' && this.draw.below(2) === 0 ? { port: this.server.server.httpPort } : this.secure;
  }

  private async leftBehind(route: Route, answer: Answer | null): Promise<string | null> {
    const before = this.stored;
    this.stored = await this.lookAtAll();
    const isRefused = answer === null || answer.status >= 400;
    if (!isRefused) return null;
    // A pack that rode along was taken in before its snapshot was refused: it is kept, as any pack whose run ends
    const kept = route === storageRoutes.commit && answer !== null && KEEPS_THE_PACK.has(codeOf(answer) ?? '');
    const left = kept ? [] : differences(before, this.stored).filter((line) => !line.startsWith('authority.audit'));
    return left.length === 0 ? null : `it was refused, and left ${left.join('; ')}`;
  }

  private async lookAtAll(): Promise<Stored> {
    const rows = await Promise.all(this.databases.map(([name, database]) => storedRows(name, database)));
    return new Map([...rows.flat(), ['files', storedFiles(this.server.config.storeDir)]]);
  }

  /** A new administrator, device, archive and session of storage: what was attacked may have ended the last ones. */
  private async renewRights(): Promise<void> {
    const { server } = this;
    const newUser = () => server.addUser(`user${++this.users}`, ['sysadmin']);
    const world = archiveWorld(() => server, newUser);
    const { user, device, archive } = await world.withArchive();
    const session = await tokenOf(server, user);
    const { token: capability } = await device.client.call(deviceRoutes.capability, { body: { purpose: 'backup' } });
    const opened = await server
      .client(capability)
      .call(storageRoutes.openSession, { params: { archive }, body: { purpose: 'backup' } });
    const other = await server.enrol(await newUser());
    const unseen = randomBytes(16).toString('hex');
    await world.register(other, unseen, await world.makeIdentity());
    const grant = await other.client.call(deviceRoutes.capability, { body: { purpose: 'backup' } });
    this.rights = {
      ...user,
      session,
      device,
      archive,
      capability,
      storageSession: opened.session,
      elsewhere: { archive: unseen, capability: grant.token },
    };
    this.stored = await this.lookAtAll();
  }

  private async partsFor(route: Route, caller: Caller): Promise<Parts> {
    const { rights, draw } = this;
    const archive = caller === 'to another archive' ? rights.elsewhere.archive : rights.archive;
    const pack = makePack(Uint8Array.fromHex(archive), [
      { id: id('a'), size: 200 },
      { id: id('t'), links: [id('a')] },
    ]);
    const sampled = (schema: z.ZodType | undefined) =>
      schema ? (sampleOf(schema, draw) as Record<string, unknown>) : {};
    const params = { ...sampled(route.params), ...known(rights, archive, pack.id.toHex(), route) };
    const query = Object.entries(sampled(route.query)).filter(() => draw.below(2) === 0);
    const authorization = this.tokenFor(route, caller);
    const body = await this.bodyFor(route, archive, pack.bytes);
    return {
      method: route.method,
      path: route.path,
      params: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)])),
      query: query.map(([name, value]) => [name, String(value)]),
      headers: [
        ...(authorization === null ? [] : [['authorization', `Bearer ${authorization}`] as const]),
        ...(body.kind === 'none' ? [] : [['content-type', CONTENT_TYPE[body.kind]] as const]),
      ],
      body,
    };
  }

  private tokenFor({ permission }: Route, caller: Caller): string | null {
    const { rights } = this;
    if (caller === 'nobody' || permission === 'public') return null;
    if (caller === 'made up')
      return this.draw.pick([`hfs_${'A'.repeat(43)}`, `hfd_${'A'.repeat(43)}`, 'eyJ.eyJ.x', '\x7f']);
    if (permission === 'device') return rights.device.credential;
    if (!permission.startsWith('capability:')) return rights.session;
    return caller === 'to another archive' ? rights.elsewhere.capability : rights.capability;
  }

  private async bodyFor(route: Route, archive: string, pack: Uint8Array): Promise<Body> {
    const { rights, draw } = this;
    if (route.body === undefined) return { kind: 'none' };
    if (!isOctets(route.body)) {
      const value = sampleOf(route.body, draw) as Record<string, unknown>;
      return { kind: 'json', value: { ...value, ...knownFields(value, rights, await this.server.registrationKey()) } };
    }
    switch (route) {
      case storageRoutes.putPack:
        return { kind: 'octets', bytes: pack };
      case storageRoutes.commit: {
        const of = {
          archiveId: Uint8Array.fromHex(archive),
          deviceId: Uint8Array.fromHex(rights.device.device.id),
          root: id('t'),
        };
        return { kind: 'octets', bytes: encodeCommit(makeSnapshot(newKeys(), of).object, pack) };
      }
      case storageRoutes.putKeyFile:
      case storageRoutes.putIdentityWrap:
        return { kind: 'octets', bytes: await sealTo((await newAgeKey()).recipient, Buffer.from('keys')) };
      default:
        return { kind: 'octets', bytes: Buffer.concat([id('a'), id('t')]) };
    }
  }
}

const KEEPS_THE_PACK: ReadonlySet<string> = new Set(['links_missing', 'session_ended', 'snapshot_retired']);
const CONTENT_TYPE = { json: 'application/json', octets: 'application/octet-stream' } as const;

async function tokenOf(
  server: TestServer,
  { username, password }: { username: string; password: string },
): Promise<string> {
  const route = server.server.routes.find(({ path }) => path === '/api/v1/sign-in') as Route;
  return (
    (await server.client().call(route, { body: { username, password } } as never)) as unknown as { token: string }
  ).token;
}

/** Parameters that lead to something that is there. */
function known(rights: Rights, archive: string, pack: string, { path }: Route): Record<string, string> {
  const name = path.includes('/keys/') ? `00001-${'ab'.repeat(16)}.age` : `${'cd'.repeat(16)}.age`;
  return {
    archive,
    session: rights.storageSession,
    pack,
    name,
    counter: '1',
    device: rights.device.device.id,
    user: rights.device.user.id,
  };
}

/** Fields that make a body mean something: so it comes further than to the schema. */
function knownFields(value: Record<string, unknown>, rights: Rights, registrationKey: string): Record<string, unknown> {
  const { username, password, archive } = rights;
  const fields = {
    username,
    password,
    current: password,
    next: `${password} next`,
    archive,
    registrationKey,
    purpose: 'backup',
  };
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name in value));
}

const shown = ({ head, body }: WireRequest): string =>
  `${head.slice(0, 600)}${Buffer.from(body.subarray(0, 300)).toString('latin1')}`.replaceAll(/[^\x20-\x7e\n]/g, '.');
