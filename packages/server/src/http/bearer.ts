import { createHash } from 'node:crypto';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { FastifyRequest } from 'fastify';

/** The bearer token of a request; `unauthenticated` when there is none. */
export function bearerOf(request: Pick<FastifyRequest, 'headers'>): string {
  const match = /^Bearer ([\w.~+/-]{1,8192}=*)$/i.exec(request.headers.authorization ?? '');
  if (match?.[1] === undefined) throw new ProtocolError('unauthenticated');
  return match[1];
}

/**
 * Tokens of ours are 32 random bytes, so a plain hash protects them in the database, and looking up by the hash compares
 * nothing secret byte by byte.
 */
export const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex');
