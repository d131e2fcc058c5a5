import type { FastifyInstance } from 'fastify';
import { destination, type Logger, pino } from 'pino';

/** Structured logs: one JSON object a line on standard error. Secrets are cut out by name wherever they turn up. */

const SECRET_NAMES = [
  'authorization',
  'password',
  'current',
  'next',
  'token',
  'credential',
  'oneTimePassword',
  'words',
  'cookie',
];
const REDACTED = SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

export const createLog = (level: string): Logger =>
  pino(
    { level, redact: { paths: REDACTED, censor: '[redacted]' }, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd: 2, sync: true }),
  );

/** One line an answered request: the route's pattern instead of the path, no headers, no bodies. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const line = {
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.config.route?.path ?? 'other',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      peer: request.ip,
      by: callerOf(request.principal),
    };
    request.log[reply.statusCode >= 500 ? 'warn' : 'debug'](line, 'request');
  });
}

function callerOf(principal: import('./principal.ts').Principal | null): string | null {
  switch (principal?.kind) {
    case 'user':
      return `user:${principal.userId}`;
    case 'device':
      return `device:${principal.deviceId}`;
    case 'capability':
      return `device:${principal.claims.sub}`;
    default:
      return null;
  }
}
