/**
 * A line to the server that is bad: it ends TLS with the server's own certificate, as a proxy in front of it would, and does to
 * each request what `fate` says. Without faults it passes on everything as it came.
 */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/**
 * `busy` and `throttled`: the proxy answers 503 or 429 itself, with Retry-After. `cut-up`: the connection ends in the middle of
 * the body. `cut-down`: in the middle of the answer. `unheard`: the server has done it, nobody hears. `twice`: sent two times, the
 * second answer counts. `late`: others that came after it overtake it.
 */
export const FATES = ['busy', 'throttled', 'cut-up', 'cut-down', 'unheard', 'twice', 'late'] as const;
/** `stalled`: nothing moves any more and nothing is closed. It takes long to be noticed, so it is not drawn among the others. */
export type Fate = (typeof FATES)[number] | 'stalled' | 'passed';

export type Asked = { readonly method: string; readonly path: string };
export type FaultyLine = {
  readonly port: number;
  /** Of requests, how many met what. */
  readonly met: Readonly<Record<string, number>>;
  readonly packs: PackCount;
  close(): Promise<void>;
};
/** Of packs and their bytes on the way to the server. */
export type PackCount = {
  /** Bytes that came here, of whatever became of them. */
  readonly bytes: number;
  /** Bytes that the device heard to be stored. */
  readonly acknowledged: number;
  /** How many came once more after the device had heard that they are stored. */
  readonly needless: number;
};
export type LineOptions = {
  readonly to: number;
  /** The server's data folder. */
  readonly data: string;
  readonly fate: (asked: Asked) => Fate;
  readonly retryAfterSeconds?: number;
  readonly lateMs?: () => number;
};

export async function faultyLine(options: LineOptions): Promise<FaultyLine> {
  const pair = readFileSync(join(options.data, 'keystore', 'tls.pem'), 'utf8');
  const ca = readFileSync(join(options.data, 'keystore', 'ca.crt'), 'utf8');
  const agent = new Agent({ ca, keepAlive: true });
  const met: Record<string, number> = {};
  const packs = new Packs();
  const server = createServer(
    { key: pair, cert: `${pair.trimEnd()}\n${ca}`, minVersion: 'TLSv1.3' },
    (asked, reply) => {
      const fate = options.fate({ method: asked.method ?? '', path: asked.url ?? '' });
      met[fate] = (met[fate] ?? 0) + 1;
      packs.watch(asked, reply);
      const { socket } = asked; // a message that was destroyed has none any more
      serve(asked, reply, fate, { ...options, agent }).catch(() => socket.destroy());
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    met,
    packs,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
}

class Packs implements PackCount {
  bytes = 0;
  acknowledged = 0;
  needless = 0;
  private readonly heard = new Set<string>();

  watch(asked: IncomingMessage, reply: ServerResponse): void {
    const pack = asked.method === 'PUT' ? /\/packs\/(\w+)/.exec(asked.url ?? '')?.[1] : undefined;
    if (pack === undefined) return;
    if (this.heard.has(pack)) this.needless++;
    let length = 0;
    asked.on('data', (chunk: Buffer) => {
      length += chunk.length;
      this.bytes += chunk.length;
    });
    // One that is cut off does not finish
    reply.once('finish', () => {
      if (reply.statusCode >= 400) return;
      this.heard.add(pack);
      this.acknowledged += length;
    });
  }
}

type Serving = LineOptions & { readonly agent: Agent };
type Answer = { readonly status: number; readonly headers: OutgoingHttpHeaders; readonly body: Buffer };

async function serve(asked: IncomingMessage, reply: ServerResponse, fate: Fate, serving: Serving): Promise<void> {
  const { retryAfterSeconds = 1, lateMs = () => 200 } = serving;
  if (fate === 'busy' || fate === 'throttled') {
    asked.resume();
    // In both forms that there are
    const after =
      fate === 'busy' ? String(retryAfterSeconds) : new Date(Date.now() + retryAfterSeconds * 1000).toUTCString();
    reply.writeHead(fate === 'busy' ? 503 : 429, { 'retry-after': after }).end('Not now.');
    return;
  }
  if (fate === 'stalled') return void asked.pause();
  const body = await bodyOf(asked, fate === 'cut-up');
  if (fate === 'late') await new Promise((resolve) => setTimeout(resolve, lateMs()));
  if (fate === 'twice') await pass(asked, body, serving);
  const answer = await pass(asked, body, serving);
  if (fate === 'unheard') asked.socket.destroy();
  else if (fate === 'cut-down') cutAnswer(asked, reply, answer);
  else reply.writeHead(answer.status, answer.headers).end(answer.body);
}

async function bodyOf(asked: IncomingMessage, cut: boolean): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of asked as AsyncIterable<Buffer>) {
    if (cut) break;
    chunks.push(chunk);
  }
  if (cut) throw new Error('the line was cut');
  return Buffer.concat(chunks);
}

function pass(asked: IncomingMessage, body: Buffer, { to, agent }: Serving): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method, headers, url: path } = asked;
    const passed = request({ host: 'localhost', port: to, method, path, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('error', reject);
      answer.once('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    });
    passed.once('error', reject);
    passed.end(body);
  });
}

function cutAnswer(asked: IncomingMessage, reply: ServerResponse, { status, headers, body }: Answer): void {
  const { 'transfer-encoding': _, ...rest } = headers;
  reply.writeHead(status, { ...rest, 'content-length': body.length + 1 });
  reply.write(body.subarray(0, body.length >> 1), () => asked.socket.destroy());
}
