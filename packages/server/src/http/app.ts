import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Pace } from '@holdfast/protocol/pace.ts';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import {
  addErrorReplies,
  type NotFound,
  refuseConnection,
  refuseExpectation,
  replyWithError,
} from './error-replies.ts';
import { addOctetParser } from './register.ts';

export type Tls = { readonly cert: string; readonly key: string };

/** A slow peer may not hold a connection for ever; what an upload in progress owes is protocol/pace.ts. */
const HEADERS_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 120_000;

/** A Fastify instance as every port of ours uses it: envelope errors, zod schemas, octets, limits. */
export function createApp(options: { log: Logger; tls?: Tls; notFound?: NotFound; pace?: Pace }): FastifyInstance {
  const shared = {
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle' as const,
    connectionTimeout: IDLE_TIMEOUT_MS,
    keepAliveTimeout: 75_000,
    return503OnClosing: false,
    frameworkErrors: replyWithError,
    clientErrorHandler: refuseConnection,
    routerOptions: { maxParamLength: 128 },
    genReqId: () => crypto.randomUUID(),
  };
  const server = { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: 0 };
  const app = (options.tls
    ? Fastify({ ...shared, https: { ...options.tls, ...server, minVersion: 'TLSv1.2' } })
    : Fastify({ ...shared, http: server })) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('principal', null);
  addErrorReplies(app, options.notFound);
  app.server.on('checkExpectation', refuseExpectation);
  addOctetParser(app, options.pace);
  refuseWhileClosing(app);
  return app;
}

/** Connections that are open when the server drains get a code that says to come back, in our own envelope. */
function refuseWhileClosing(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  app.addHook('onRequest', async (_, reply) => {
    if (!closing) return;
    reply.header('connection', 'close');
    throw new ProtocolError('shutting_down', { retryAfterMs: 10_000 });
  });
}

/** For an `authorize` that is asked about access it does not know: a mistake of ours, never a way in. */
export const unknownAccess = (access: string): never => {
  throw new ProtocolError('internal', { message: `No authorization is set up for ${access}.` });
};
