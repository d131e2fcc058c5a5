/**
 * The root: builds a server out of its parts and starts it.
 *
 *     lock the data folder; open keystore and database, or make them
 *     authority + storage -> routes -> one HTTPS app (API) and one HTTP app (health, enrolment, redirect)
 *     jobs by the clock: dump at night, tidy hourly, certificate daily, maintenance of archives
 *
 * `close` drains: no new requests, those in progress end, jobs end, databases close, the lock goes last.
 */

import { dirname } from 'node:path';
import { systemRoutes } from '@holdfast/protocol/authority-routes.ts';
import type { Route } from '@holdfast/protocol/route.ts';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { archivePolicy } from './archive-policy.ts';
import { append } from './authority/audit/audit.ts';
import { type Authority, createAuthority } from './authority/authority.ts';
import { inTransaction } from './authority/context.ts';
import { recordEndpoint } from './authority/endpoint-record.ts';
import { serverCertificate } from './authority/keyring/keystore.ts';
import { theOrganization } from './authority/organization/store.ts';
import { settingsOf } from './authority/settings/settings.ts';
import { createPasswords, type Passwords } from './authority/sign-in/passwords.ts';
import type { ServerConfig } from './config.ts';
import { lockDataFolder } from './data-lock.ts';
import { makePrivateFolder, sweepUnfinished } from './files.ts';
import { type Foundation, openFoundation } from './foundation.ts';
import { defaultAddress, hostNames } from './host-names.ts';
import { createApp } from './http/app.ts';
import { capabilityAuthorizer } from './http/capability-access.ts';
import { toHttps } from './http/http-port.ts';
import { drain, listen } from './http/listen.ts';
import { logRequests } from './http/log.ts';
import { createMetrics, type Metrics } from './http/metrics.ts';
import { addOpenApi } from './http/openapi.ts';
import { type Authorize, registerRoutes, type ServedRoute, serve } from './http/register.ts';
import { identityWrapsOf } from './identity-wraps.ts';
import { startJobs } from './jobs.ts';
import { createStorage } from './storage/storage.ts';
import { openStorageRole, storageOptions } from './storage-role.ts';
import { VERSION } from './version.ts';

export type ServerOptions = {
  readonly config: ServerConfig;
  readonly log: Logger;
  readonly now?: () => number;
  readonly passwords?: Passwords;
};

export type RunningServer = {
  /** The name or address that devices are told. */
  readonly address: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly foundation: Foundation;
  readonly authority: Authority;
  readonly routes: readonly Route[];
  /** The index is in order: until then archive requests are told to come back. */
  readonly storageReady: Promise<void>;
  enrolmentString(): Promise<string>;
  close(): Promise<void>;
};

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, log } = options;
  await makePrivateFolder(config.dataDir);
  const lock = lockDataFolder(config.dataDir);
  const undo: (() => unknown)[] = [() => lock.release()];
  try {
    await sweepUnfinished([config.dataDir, config.keystoreDir, config.dumpDir, dirname(config.kitFile)]);
    const server = await build(options, undo);
    return { ...server, close: () => runBackwards(undo) };
  } catch (error) {
    log.debug({ err: error }, 'start failed');
    await runBackwards(undo);
    throw error;
  }
}

/** Every step is taken back, the last one first, also when one of them fails. */
async function runBackwards(undo: (() => unknown)[]): Promise<void> {
  const failures: unknown[] = [];
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'The server did not close cleanly.');
}

async function build(options: ServerOptions, undo: (() => unknown)[]): Promise<Omit<RunningServer, 'close'>> {
  const { config, log, now = Date.now } = options;
  const onIdleError = (err: Error) => log.warn({ err }, 'a database connection broke');
  const foundation = await openFoundation(config, { create: true, now, onIdleError });
  undo.push(() => foundation.close());
  const { keystore, context } = foundation;
  const metrics = createMetrics();
  const role = await openStorageRole(config, keystore, { now, log, registry: metrics.registry });
  const swept = await role.sweep();
  if (swept > 0) log.info({ files: swept }, 'unfinished files of an earlier run removed');
  const { kysely } = context.database;
  const storage = await createStorage({
    ...storageOptions(role),
    policyOf: async () => archivePolicy(await settingsOf(kysely)),
  });
  undo.push(() => storage.close());

  const endpoint = { host: config.address ?? (await defaultAddress()), port: config.httpsPort };
  const authority = createAuthority({
    context,
    keystore,
    passwords: options.passwords ?? createPasswords(context.random),
    wraps: identityWrapsOf(storage, role.store),
    version: VERSION,
    otherWarnings: storage.warnings,
    endpoint: () => endpoint,
  });
  metrics.warn(authority.warnings);

  const names = hostNames(endpoint.host);
  const certificate = await serverCertificate(keystore, names, now());
  const https = createApp({ log, tls: { cert: certificate.certificate, key: certificate.key } });
  const routes = [...authority.routes, ...storage.routes, ...systemRoutesOf(metrics, https)];
  await prepareHttps(https, routes, authority, metrics, log);
  const http = createApp({ log, notFound: toHttps(() => endpoint.port) });
  prepareHttp(http, authority, metrics);

  undo.push(
    () => drain(https),
    () => drain(http),
  );
  endpoint.port = await listen(https, { host: config.listen, port: config.httpsPort });
  const httpPort = await listen(http, { host: config.listen, port: config.httpPort });
  await recordEndpoint(kysely, endpoint);
  const details = { version: VERSION };
  await inTransaction(context, (trx) => append(trx, { at: now(), actor: 'system', action: 'server.started', details }));
  const jobs = startJobs({ config, foundation, authority, storage, https, names, log });
  undo.push(() => jobs.stop());
  log.info({ httpPort, httpsPort: endpoint.port, version: VERSION, serverId: keystore.serverId }, 'listening');
  return {
    address: endpoint.host,
    httpPort,
    httpsPort: endpoint.port,
    foundation,
    authority,
    routes: routes.map((r) => r.route),
    storageReady: storage.ready,
    async enrolmentString() {
      return authority.enrolmentString((await theOrganization(kysely)).registration_key);
    },
  };
}

async function prepareHttps(
  app: FastifyInstance,
  routes: readonly ServedRoute[],
  authority: Authority,
  metrics: Metrics,
  log: Logger,
): Promise<void> {
  await addOpenApi(app, VERSION);
  metrics.watch(app, 'https');
  logRequests(app);
  const capability = capabilityAuthorizer(authority.verifyCapability, authority.isRevoked);
  const authorize: Authorize = (route, request) =>
    (route.permission.startsWith('capability:') ? capability : authority.authorize)(route, request);
  await app.register(async (scope) => registerRoutes(scope, routes, { authorize }));
  await app.ready();
  log.debug({ routes: routes.length }, 'routes registered');
}

function prepareHttp(app: FastifyInstance, authority: Authority, metrics: Metrics): void {
  metrics.watch(app, 'http');
  logRequests(app);
  registerRoutes(app, authority.publicRoutes, { authorize: authority.authorize });
}

const systemRoutesOf = (metrics: Metrics, app: FastifyInstance): ServedRoute[] => [
  serve(systemRoutes.metrics, () => metrics.registry.metrics()),
  serve(systemRoutes.openapi, async () => app.swagger() as unknown as Record<string, unknown>),
];
