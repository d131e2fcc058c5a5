import { request } from 'node:https';
import { Readable } from 'node:stream';
import type { Transport } from '@holdfast/protocol/client.ts';

/** HTTPS that trusts one CA and nothing else, as agents do. */
export const pinnedTransport =
  (ca: string): Transport =>
  (url, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const sent = request(url, { method, headers, ca, ...(signal && { signal }) }, (reply) => {
        const empty = reply.statusCode === 204 || reply.statusCode === 304;
        const stream = Readable.toWeb(reply) as ReadableStream<Uint8Array>;
        const headerList = Object.entries(reply.headers).map(([name, value]) => [name, String(value)]);
        resolve(
          new Response(empty ? null : stream, {
            status: reply.statusCode ?? 0,
            headers: Object.fromEntries(headerList),
          }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
