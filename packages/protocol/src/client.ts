import { isProtocolCode, ProtocolError } from './errors.ts';
import { type Input, isOctets, isText, type Reply, type Route } from './route.ts';

/**
 * The typed client: a route and its input go in, the checked reply comes out, anything else is a `ProtocolError`.
 *
 * How bytes travel is the caller's: the transport is `fetch` in a page, and in an agent a function that trusts one CA
 * and keeps to a bandwidth limit. This file knows no network.
 */

export type TransportRequest = {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
};

/** The part of a `Response` that is used, so `fetch` fits as it is. */
export type TransportReply = {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array> | null;
  /** `max` is how many bytes a reply of ours may have at most: a transport that may meet a stranger rejects more with `bad_reply`. */
  arrayBuffer(max: number): Promise<ArrayBuffer>;
};

/** No JSON of ours is longer; octets say for themselves how long they may be. */
const MAX_JSON_REPLY = 64 * 1024 * 1024;
/** Of an error: the longest names a thousand ids. */
const MAX_ERROR_REPLY = 1024 * 1024;

/** Rejects when no reply came; whatever it rejects with becomes the cause of `unreachable`. */
export type Transport = (url: string, request: TransportRequest) => Promise<TransportReply>;

export type ClientOptions = {
  /** Without a slash at the end: `https://host:4285`. */
  readonly base: string;
  readonly transport: Transport;
  /** The bearer token for a route, asked at every call so that it can be renewed. */
  readonly token?: (route: Route, signal?: AbortSignal) => Promise<string | null> | string | null;
};

export type CallOptions = { readonly signal?: AbortSignal; readonly headers?: Record<string, string> };

export type Client = {
  call<const R extends Route>(route: R, input: Input<R>, options?: CallOptions): Promise<Reply<R>>;
  /** The reply as it arrives, for bodies of octets; its status is one of success. */
  stream<const R extends Route>(route: R, input: Input<R>, options?: CallOptions): Promise<TransportReply>;
};

type AnyInput = { params?: Record<string, unknown>; query?: Record<string, unknown>; body?: unknown };

export function pathOf(route: Route, input: AnyInput): string {
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(input.params?.[name])));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(input.query ?? {})) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

function encodeBody(route: Route, body: unknown): { type: string; bytes: Uint8Array<ArrayBuffer> } | null {
  if (route.body === undefined) return null;
  if (isOctets(route.body)) return { type: 'application/octet-stream', bytes: body as Uint8Array<ArrayBuffer> };
  return { type: 'application/json', bytes: new TextEncoder().encode(JSON.stringify(body)) };
}

export function createClient({ base, transport, token }: ClientOptions): Client {
  async function send(route: Route, input: AnyInput, options: CallOptions): Promise<TransportReply> {
    const headers: Record<string, string> = { ...options.headers };
    const bearer = route.permission === 'public' ? null : await token?.(route, options.signal);
    if (bearer) headers.authorization = `Bearer ${bearer}`;
    const body = encodeBody(route, input.body);
    if (body !== null) headers['content-type'] = body.type;
    const request = {
      method: route.method,
      headers,
      ...(body && { body: body.bytes }),
      ...(options.signal && { signal: options.signal }),
    };
    const reply = await reach(() => transport(base + pathOf(route, input), request), options.signal);
    if (reply.status >= 400) throw await errorOf(reply, options.signal);
    // Whoever sends a caller elsewhere, or answers what nobody asked, has done nothing of what was asked for
    if (reply.status < 200 || reply.status >= 300)
      throw new ProtocolError('bad_reply', { data: { status: reply.status } });
    return reply;
  }

  return {
    stream: (route, input, options = {}) => send(route, input as AnyInput, options),
    async call(route, input, options = {}) {
      const reply = await send(route, input as AnyInput, options);
      const bytes = new Uint8Array(await reach(() => reply.arrayBuffer(longestReply(route)), options.signal));
      return decodeReply(route, bytes) as Reply<typeof route>;
    },
  };
}

const longestReply = ({ response }: Route): number => (isOctets(response) ? response.max : MAX_JSON_REPLY);

function decodeReply(route: Route, bytes: Uint8Array): unknown {
  if (route.response === undefined) return undefined;
  if (isOctets(route.response)) return bytes;
  if (isText(route.response)) return new TextDecoder().decode(bytes);
  const result = route.response.safeParse(parseJson(bytes));
  if (!result.success) throw new ProtocolError('bad_reply', { cause: result.error, data: { path: route.path } });
  return result.data;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ProtocolError('bad_reply', { cause });
  }
}

/** Runs one exchange with the network; an abort stays what it is, anything else means that nobody answered. */
async function reach<T>(exchange: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await exchange();
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause instanceof ProtocolError ? cause : new ProtocolError('unreachable', { cause });
  }
}

/**
 * RFC 9110 §10.2.3. Our servers send seconds, others between them and us also a date: it counts from the reply's own, since the
 * clock here may show another time.
 */
function retryAfterMs({ headers }: TransportReply): number | undefined {
  const asked = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+$/.test(asked)) return Number(asked) * 1000;
  const ms = dateIn(asked) - dateIn(headers.get('date'));
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** Nearly anything is a date to `Date.parse`. */
const dateIn = (header: string | null): number => (header?.endsWith(' GMT') ? Date.parse(header) : Number.NaN);

/** What a proxy answers with a page of its own while the server behind it is away or overrun (RFC 9110 §15.6, RFC 6585 §4). */
const NOT_NOW: ReadonlySet<number> = new Set([429, 502, 503, 504]);

const unavailable = (status: number): string =>
  `The server, or a proxy in front of it, answers ${status}: not now. It is asked again; if this lasts, tell your administrator.`;

async function errorOf(reply: TransportReply, signal: AbortSignal | undefined): Promise<ProtocolError> {
  const bytes = new Uint8Array(await reach(() => reply.arrayBuffer(MAX_ERROR_REPLY), signal));
  const waits = { retryAfterMs: retryAfterMs(reply) };
  const { status } = reply;
  const unknown = (cause?: unknown) =>
    NOT_NOW.has(status)
      ? new ProtocolError('unavailable', { cause, message: unavailable(status), data: { status }, ...waits })
      : new ProtocolError('bad_reply', { cause, data: { status }, ...waits });
  let envelope: { error?: { code?: unknown; message?: unknown; retryable?: unknown; data?: unknown } };
  try {
    envelope = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    return unknown(cause);
  }
  const { code: told, message, retryable, data } = envelope?.error ?? {};
  if (typeof told !== 'string') return unknown();
  if (!isProtocolCode(told)) {
    return new ProtocolError('unknown_code', {
      data: { code: told, message },
      retryable: retryable === true,
      ...waits,
    });
  }
  return new ProtocolError(told, {
    message: typeof message === 'string' ? message : undefined,
    data: typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : undefined,
    ...waits,
  });
}
