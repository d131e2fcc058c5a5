import { BlockList, isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** IPv4 peers of a socket that listens on both families come as `::ffff:127.0.0.1`. */
export function isLoopbackAddress(address: string): boolean {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return loopback.check(v4 ?? address, (v4 ?? address).includes(':') ? 'ipv6' : 'ipv4');
}

const FORWARDING_HEADERS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
];

/**
 * The caller sits on this machine: peer *and* Host are loopback and nothing says that somebody else is behind it. The
 * Host keeps out pages that a name of theirs leads here; the headers keep out what a proxy on this machine passes on.
 */
export function isLoopbackCaller(request: Pick<FastifyRequest, 'headers' | 'ip'>): boolean {
  if (!isLoopbackAddress(request.ip)) return false;
  if (FORWARDING_HEADERS.some((name) => request.headers[name] !== undefined)) return false;
  const host = /^(\[[^\]]+\]|[^:]+)(:\d+)?$/.exec(request.headers.host ?? '')?.[1]?.replace(/^\[|\]$/g, '') ?? '';
  return host.toLowerCase() === 'localhost' || (isIP(host) !== 0 && isLoopbackAddress(host));
}
