/**
 * Routes on Fastify: the one way a route gets served.
 *
 * A *route* (data, from protocol) and its *handler* make a *served route*; `registerRoutes` puts it up. For each request:
 *
 *     authorize(route)            before a byte of the body is read
 *     validate params, query, body against the route's schemas
 *     handler -> reply, checked against the route's schema; or octets as they come
 *     any error -> the envelope of protocol/errors.ts
 */

import { Readable } from 'node:stream';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { keptToPace, LEAST_PACE, type Pace } from '@holdfast/protocol/pace.ts';
import {
  type Body,
  isOctets,
  isText,
  type Params,
  type Query,
  type Reply,
  type Route,
} from '@holdfast/protocol/route.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { refuseSlowBody } from './error-replies.ts';
import type { Principal, PrincipalOf } from './principal.ts';

export type Call<R extends Route> = {
  readonly params: Params<R>;
  readonly query: Query<R>;
  readonly body: Body<R>;
  readonly principal: PrincipalOf<R>;
  readonly headers: FastifyRequest['headers'];
  /** Address of the peer; an IPv4 one as such, also when it came over IPv6. */
  readonly address: string;
  /** Aborts when the caller hangs up. */
  readonly signal: AbortSignal;
  readonly log: FastifyRequest['log'];
};

/** For routes of octets: a status, headers and a body of their own, for instance 206 with a range. */
export class OctetReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;

  constructor(body: Uint8Array | AsyncIterable<Uint8Array>, status = 200, headers: Record<string, string> = {}) {
    this.body = body;
    this.status = status;
    this.headers = headers;
  }
}

export type Handler<R extends Route> = (
  call: Call<R>,
) => Promise<Reply<R> | (Reply<R> extends Uint8Array ? OctetReply : never)>;

export type ServedRoute = { readonly route: Route; readonly handle: Handler<Route> };

/** Ties a handler to its route, with the handler's input and output typed by it. */
export const serve = <const R extends Route>(route: R, handle: Handler<R>): ServedRoute => ({
  route,
  handle: handle as unknown as Handler<Route>,
});

/** Finds out who calls and whether they may; rejects with `unauthenticated`, `forbidden` or a code of its own. */
export type Authorize = (route: Route, request: FastifyRequest) => Promise<Principal>;

declare module 'fastify' {
  interface FastifyContextConfig {
    route?: Route;
  }
  interface FastifyRequest {
    principal: Principal | null;
  }
}

/** JSON bodies are small by nature; whatever is large is octets with a limit of its own. */
export const JSON_BODY_MAX = 256 * 1024;

/** Whoever sends a small body for longer holds a connection for nothing. Streams are large, and have only a pace to keep (protocol/pace.ts). */
const BODY_MS = 60_000;

export function registerRoutes(
  app: FastifyInstance,
  routes: readonly ServedRoute[],
  options: { authorize: Authorize; bodyMs?: number },
): void {
  for (const { route, handle } of routes) {
    const { response } = route;
    const json = response !== undefined && !isOctets(response) && !isText(response);
    app.route({
      method: route.method,
      url: route.path,
      config: { route },
      bodyLimit: isOctets(route.body) ? route.body.max : JSON_BODY_MAX,
      schema: {
        ...(route.params && { params: route.params }),
        ...(route.query && { querystring: route.query }),
        ...(route.body && !isOctets(route.body) && { body: route.body }),
        ...(json && { response: { 200: response } }),
      },
      onRequest: async (request, reply) => {
        request.principal = await options.authorize(route, request);
        if (!(isOctets(route.body) && route.body.stream)) limitBodyTime(request, reply, options.bodyMs ?? BODY_MS);
      },
      handler: async (request, reply) => answer(route, await handle(callOf(request, reply)), reply),
    });
  }
}

function limitBodyTime({ raw }: FastifyRequest, reply: FastifyReply, ms: number): void {
  const timer = setTimeout(() => {
    if (!raw.complete) refuseSlowBody(raw.socket);
  }, ms);
  timer.unref();
  reply.raw.once('close', () => clearTimeout(timer));
}

function callOf(request: FastifyRequest, reply: FastifyReply): Call<Route> {
  return {
    params: request.params as never,
    query: request.query as never,
    body: request.body as never,
    principal: request.principal as never,
    headers: request.headers,
    address: request.ip.replace(/^::ffff:(?=\d+\.)/i, ''),
    signal: hangUpSignal(reply),
    log: request.log,
  };
}

/** Not `request.signal`: that one also fires when the body has been read. */
function hangUpSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

function answer(route: Route, result: unknown, reply: FastifyReply): unknown {
  const { response } = route;
  if (response === undefined) return reply.code(204).send();
  if (isText(response)) return reply.type(response.contentType).send(result);
  if (!isOctets(response)) return reply.send(result);
  const octets = result instanceof OctetReply ? result : new OctetReply(result as Uint8Array);
  const { body } = octets;
  reply.code(octets.status).headers(octets.headers).type('application/octet-stream');
  return reply.send(body instanceof Uint8Array ? asBuffer(body) : Readable.from(body, { objectMode: false }));
}

const asBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Reads octets for routes that take them whole, and passes them on, counted, for routes that take a stream. */
export function addOctetParser(app: FastifyInstance, pace: Pace = LEAST_PACE): void {
  app.addContentTypeParser('application/octet-stream', async (request: FastifyRequest, payload: Readable) => {
    const body = request.routeOptions.config.route?.body;
    if (!isOctets(body))
      throw new ProtocolError('invalid_request', { message: 'This route takes no octets: send JSON.' });
    const limited = withLimit(payload, body.max);
    return body.stream ? keptToPace(limited, () => refuseSlowBody(request.raw.socket), pace) : readAll(limited);
  });
}

export async function* withLimit(source: AsyncIterable<Uint8Array>, max: number): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const chunk of source) {
    total += chunk.length;
    if (total > max) throw new ProtocolError('body_too_large', { data: { max } });
    yield chunk;
  }
}

export async function readAll(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
