import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { AgentError, codeOf } from '../errors.ts';
import type { Home } from '../state/home.ts';
import type { Status } from './status.ts';

/**
 * How a command talks to the running service: a socket in the state folder, which only its user can reach (a named pipe on
 * Windows). One request a connection, one line of JSON; then lines of events, the last of which is the answer.
 */
export type Request =
  | { readonly do: 'status' }
  /** Ask the server whether it accepts this device; the answer is empty, or what it refuses. */
  | { readonly do: 'standing' }
  /** Settings, pause or enrolment have changed: read them again. */
  | { readonly do: 'reload' }
  /** Back up these sets now; closing the connection stops it. */
  | { readonly do: 'backup'; readonly sets: readonly string[]; readonly allFolders: boolean; readonly gentle: boolean };

export type Reply =
  | { readonly kind: 'event'; readonly event: unknown }
  | { readonly kind: 'done'; readonly result: unknown }
  | {
      readonly kind: 'failed';
      readonly error: { readonly code: string; readonly message: string; readonly data?: unknown };
    };

export type Handlers = {
  readonly status: () => Status;
  readonly standing: (signal: AbortSignal) => Promise<void>;
  readonly reload: () => void;
  readonly backup: (
    request: Extract<Request, { do: 'backup' }>,
    onEvent: (event: unknown) => void,
    signal: AbortSignal,
  ) => Promise<unknown>;
};

export type ControlServer = { close(): Promise<void> };

/** The caller holds the service's lock, so a socket that lies there is a dead one's. */
export async function serveControl(home: Pick<Home, 'control'>, handlers: Handlers): Promise<ControlServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy()); // the command went away; its close is noticed
    void serve(socket, handlers);
  });
  if (process.platform !== 'win32') rmSync(home.control, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(home.control, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroySoon();
      }),
  };
}

async function serve(socket: Socket, handlers: Handlers): Promise<void> {
  socket.setEncoding('utf8');
  const send = (reply: Reply) => void (socket.writable && socket.write(`${JSON.stringify(reply)}\n`));
  const line = await firstLine(socket);
  if (line === null) return;
  socket.resume(); // nothing more is expected, but that it closes is noticed only while it is read
  try {
    send({ kind: 'done', result: await answer(JSON.parse(line) as Request, handlers, send, socket) });
  } catch (error) {
    const data = (error as { data?: unknown }).data;
    const message = error instanceof Error ? error.message : String(error);
    send({
      kind: 'failed',
      error: { code: codeOf(error) ?? 'internal', message, ...(data !== undefined && { data }) },
    });
  }
  socket.end();
}

async function answer(
  request: Request,
  handlers: Handlers,
  send: (reply: Reply) => void,
  socket: Socket,
): Promise<unknown> {
  switch (request.do) {
    case 'status':
      return handlers.status();
    case 'reload':
      return handlers.reload();
    case 'standing':
      return handlers.standing(whileOpen(socket));
    case 'backup':
      return handlers.backup(request, (event) => send({ kind: 'event', event }), whileOpen(socket));
    default:
      request satisfies never;
      throw new AgentError('usage', { what: 'The service does not know this request; it may be of an older version' });
  }
}

/** Aborted when the command goes away. */
function whileOpen(socket: Socket): AbortSignal {
  const controller = new AbortController();
  socket.once('close', () => controller.abort(new AgentError('interrupted')));
  return controller.signal;
}

async function firstLine(socket: Socket): Promise<string | null> {
  for await (const line of linesOf(socket)) return line;
  return null;
}

/** Whole lines as they come; ends when the other side does, however it does. */
async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    if (!BROKEN_OFF.has(codeOf(error) ?? '')) throw error;
  }
}

const BROKEN_OFF: ReadonlySet<string> = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE']);

/** `null` when no service runs. Rejects with what the service refused, as the error it was there. */
export async function callDaemon(
  home: Pick<Home, 'control'>,
  request: Request,
  onEvent: (event: unknown) => void = () => {},
  signal?: AbortSignal,
): Promise<{ readonly result: unknown } | null> {
  const socket = await dial(home.control);
  if (socket === null) return null;
  socket.setEncoding('utf8');
  const stop = () => socket.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    for await (const line of linesOf(socket)) {
      const reply = JSON.parse(line) as Reply;
      if (reply.kind === 'event') onEvent(reply.event);
      else if (reply.kind === 'done') return { result: reply.result };
      else throw remoteError(reply.error);
    }
    signal?.throwIfAborted();
    throw new AgentError('daemon_lost');
  } finally {
    signal?.removeEventListener('abort', stop);
    socket.destroy();
  }
}

const NOBODY: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

function dial(path: string): Promise<Socket | null> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.off('error', reject);
      // What happens from now on ends the lines, which the reader notices
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
    socket.once('error', (error) => (NOBODY.has(codeOf(error) ?? '') ? resolve(null) : reject(error)));
  });
}

/** Codes of all packages come through; the exit code follows them. */
function remoteError({ code, message, data }: { code: string; message: string; data?: unknown }): Error {
  return Object.assign(new Error(message), { code, ...(data !== undefined && { data }) });
}
