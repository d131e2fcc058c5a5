import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ServerError } from '../errors.ts';

/** Listens and gives the port, which the system chose when 0 was asked for. */
export async function listen(
  app: FastifyInstance,
  where: { readonly host: string; readonly port: number },
): Promise<number> {
  try {
    await app.listen(where);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    // A machine without IPv6 cannot listen on `::`
    if (where.host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) {
      return listen(app, { ...where, host: '0.0.0.0' });
    }
    if (code === 'EADDRINUSE' || code === 'EACCES')
      throw new ServerError('port_in_use', { cause, data: { port: where.port } });
    throw cause;
  }
  return (app.server.address() as AddressInfo).port;
}

/** Long enough for a pack on a slow line, short enough for whoever waits for the machine to go down. */
const DRAIN_MS = 30_000;

/** Takes no new requests, lets those in progress end, then closes what is left. */
export async function drain(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}
