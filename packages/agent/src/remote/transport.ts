import { type ClientRequest, type IncomingMessage, request as requestPlain } from 'node:http';
import { Agent, request as requestSecure } from 'node:https';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { TransportReply, TransportRequest } from '@holdfast/protocol/client.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { keptToPace } from '@holdfast/protocol/pace.ts';
import { AgentError } from '../errors.ts';
import type { Bucket } from '../limits/token-bucket.ts';

/**
 * How the agent's bytes travel: HTTP/1.1 over TLS that trusts one CA, few connections kept open, both directions kept to a rate.
 *
 * A request fails when nothing moves for `IDLE_MS`, never because it takes long: a pack on a slow line takes minutes. While bytes wait to
 * be sent, Node's own count begins once more when it ends, so the wait for each slice is counted here. A server that sends a byte now and
 * then is left too: its head has `HEAD_MS` from the end of the request, what follows a pace to keep (protocol/pace.ts).
 */
export type TransportOptions = {
  /** PEM. Certificates of any other authority are refused; null trusts what the system trusts. */
  readonly ca: string | null;
  readonly upload: Bucket;
  readonly download: Bucket;
};

export type AgentTransport = {
  send(url: string, request: TransportRequest): Promise<TransportReply>;
  close(): void;
};

/** One upload for each worker of a usual device, and questions beside them. */
const MOST_CONNECTIONS = 6;
const CONNECT_MS = 20_000;
const IDLE_MS = 90_000;
const HEAD_MS = 2 * IDLE_MS;
/** Shorter than the server's, so that a request never meets a connection that is just being closed. */
const KEEP_ALIVE_MS = 4_000;
const SLICE = 64 * 1024;

export function createTransport({ ca, upload, download }: TransportOptions): AgentTransport {
  const agent = new Agent({
    keepAlive: true,
    timeout: KEEP_ALIVE_MS,
    maxSockets: MOST_CONNECTIONS,
    // Our own servers speak 1.3; what stands in front of a public certificate may not
    ...(ca !== null && { ca, minVersion: 'TLSv1.3' }),
  });
  return {
    close: () => agent.destroy(),
    async send(url, { method, headers, body, signal }) {
      const request = begin(new URL(url), agent, {
        method,
        headers: body === undefined ? headers : { ...headers, 'content-length': String(body.length) },
        ...(signal && { signal }),
      });
      const answered = answer(request);
      const writing = writeBody(request, body, upload, signal);
      // What fails first is thrown below. What fails after it, or after the answer, was caused by it or changes nothing any more
      answered.catch(() => {});
      writing.catch(() => {}); // as above
      try {
        // A server may answer, and refuse, before it has read everything
        await Promise.race([answered, writing]);
        return replyOf(request, await answered, download, signal);
      } catch (error) {
        request.destroy();
        throw error;
      }
    },
  };
}

type Start = { method: string; headers: Record<string, string>; signal?: AbortSignal };

function begin(url: URL, agent: Agent, options: Start): ClientRequest {
  // Plain HTTP is for what carries no credential: enrolment information and upgrade downloads on 4280
  const request = url.protocol === 'http:' ? requestPlain(url, options) : requestSecure(url, { ...options, agent });
  request.setTimeout(IDLE_MS, () => request.destroy(timeoutError('nothing moved', IDLE_MS)));
  request.once('socket', (socket) => limitConnecting(request, socket));
  return request;
}

function limitConnecting(request: ClientRequest, socket: Socket): void {
  if (!socket.connecting) return;
  const timer = setTimeout(() => request.destroy(timeoutError('no connection', CONNECT_MS)), CONNECT_MS);
  const stop = () => clearTimeout(timer);
  socket
    .once('secureConnect', stop)
    .once('connect', request.protocol === 'http:' ? stop : () => {})
    .once('close', stop);
}

function timeoutError(what: string, ms: number): Error {
  return Object.assign(new Error(`${what} for ${ms / 1000} seconds`), { code: 'ETIMEDOUT' });
}

function answer(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    request.once('finish', () => {
      timer = setTimeout(() => request.destroy(tooSlow(request)), HEAD_MS);
    });
    request.once('response', resolve);
    request.on('error', reject);
    for (const event of ['response', 'close']) request.once(event, () => clearTimeout(timer));
  });
}

const tooSlow = ({ host }: ClientRequest): AgentError =>
  new AgentError('offline', { what: `${host} answers too slowly, less than 500 bytes a second` });

async function writeBody(
  request: ClientRequest,
  body: Uint8Array | undefined,
  bucket: Bucket,
  signal: AbortSignal | undefined,
): Promise<void> {
  let answered = false;
  request.once('response', () => {
    answered = true;
  });
  for (let at = 0; body !== undefined && at < body.length; at += SLICE) {
    if (request.destroyed || answered) return; // the rest is not wanted
    const slice = body.subarray(at, at + SLICE);
    if (!request.write(slice)) await drained(request);
    await bucket.take(slice.length, signal);
  }
  request.end();
}

/** Resolves when the request takes more, or never will. */
function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const stalled = () => request.destroy(timeoutError('nothing moved', IDLE_MS));
    // Until it has a connection, it waits for others
    const timer = request.socket?.connecting === false ? setTimeout(stalled, IDLE_MS) : undefined;
    const done = () => {
      clearTimeout(timer);
      for (const event of ['drain', 'close', 'error']) request.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) request.on(event, done);
  });
}

function replyOf(
  request: ClientRequest,
  message: IncomingMessage,
  bucket: Bucket,
  signal: AbortSignal | undefined,
): TransportReply {
  return {
    status: message.statusCode ?? 0,
    headers: {
      get(name) {
        const value = message.headers[name.toLowerCase()];
        return value === undefined ? null : [value].flat().join(', ');
      },
    },
    get body() {
      return Readable.toWeb(message) as ReadableStream<Uint8Array>;
    },
    async arrayBuffer(max) {
      const chunks: Uint8Array[] = [];
      if (Number(message.headers['content-length'] ?? 0) > max) throw tooLong(request, max);
      let length = 0;
      for await (const chunk of keptToPace(message, () => message.destroy(tooSlow(request)))) {
        chunks.push(chunk);
        length += chunk.length;
        if (length > max) throw tooLong(request, max);
        await bucket.take(chunk.length, signal);
      }
      if (!message.complete) throw Object.assign(new Error('the answer was cut off'), { code: 'ECONNRESET' });
      // A request that was answered half-way leaves its connection unusable
      if (!request.writableEnded) request.destroy();
      return exactBuffer(Buffer.concat(chunks));
    },
  };
}

/** A server that lies must not fill the memory of its devices. */
function tooLong(request: ClientRequest, max: number): ProtocolError {
  request.destroy();
  return new ProtocolError('bad_reply', { message: `The answer is longer than ${max} bytes, more than it may be.` });
}

function exactBuffer(bytes: Buffer): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes;
  if (byteOffset === 0 && byteLength === buffer.byteLength) return buffer as ArrayBuffer;
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
