// One request over a connection of its own, byte by byte as it stands, and whether what comes back is a coded answer.

import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { isProtocolCode, statusOf } from '@holdfast/protocol/errors.ts';
import type { WireRequest } from './mutate.ts';

export type Port = { readonly port: number /** PEM; without it plain HTTP. */; readonly ca?: string };

export type Answer = { readonly status: number; readonly body: string };

/** No answer within it is a hang. Far more than the slowest answer takes. */
const HANG_MS = 10_000;

/** The answer, null where the server hung up without one, or `hang` where it did neither. */
export async function exchange({ port, ca }: Port, request: WireRequest): Promise<Answer | null | 'hang'> {
  const options = { port, host: '127.0.0.1' };
  const socket = ca === undefined ? connectPlain(options) : connectSecure({ ...options, ca, servername: 'localhost' });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const hang = setTimeout(() => {
      resolve('hang');
      socket.destroy();
    }, HANG_MS);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => {}); // a server that has had enough resets the connection
    socket.once('close', () => {
      clearTimeout(hang);
      resolve(parse(Buffer.concat(chunks).toString('latin1')));
    });
    socket.once(ca === undefined ? 'connect' : 'secureConnect', () => void send(socket, request));
  });
}

async function send(socket: Socket, { head, body, endless, cut }: WireRequest): Promise<void> {
  socket.write(Buffer.concat([Buffer.from(head, 'latin1'), body]));
  if (cut) socket.end();
  if (endless === undefined) return;
  socket.once('data', () => socket.end());
  const more = () => {
    while (socket.writable && socket.write(endless));
  };
  socket.on('drain', more);
  more();
}

function parse(text: string): Answer | null {
  const final = text.replace(/^(HTTP\/1\.1 1\d\d[^\r]*\r\n(?:[^\r]+\r\n)*\r\n)+/, '');
  const [head = '', ...rest] = final.split('\r\n\r\n');
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
  return status === undefined ? null : { status: Number(status), body: rest.join('\r\n\r\n') };
}

/** What is wrong with an answer as such; null when nothing is. */
export function problemOf(answer: Answer | null | 'hang', { head, cut, endless }: WireRequest): string | null {
  if (answer === 'hang') return `no answer within ${HANG_MS / 1000} seconds`;
  if (answer === null) return cut || endless ? null : 'the server hung up without an answer';
  const { status, body } = answer;
  if (status < 400) return null;
  const code = codeOf(answer);
  if (head.startsWith('HEAD ') && body === '') return status >= 500 ? `status ${status}` : null;
  if (code === null) return `status ${status} without a code: ${body.slice(0, 200)}`;
  if (!isProtocolCode(code)) return `an unknown code: ${code}`;
  if (code === 'internal') return `it failed: ${body.slice(0, 300)}`;
  return statusOf(code) === status ? null : `status ${status} with code ${code}`;
}

export function codeOf({ body }: Answer): string | null {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: unknown; message?: unknown; retryable?: unknown } };
    const isEnvelope = typeof error?.message === 'string' && typeof error.retryable === 'boolean';
    return isEnvelope && typeof error.code === 'string' ? error.code : null;
  } catch {
    return null;
  }
}
