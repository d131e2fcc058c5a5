import { ProtocolError } from './errors.ts';

/**
 * The one line that brings a device to its server: where it is, whom to trust, which organization to join.
 *
 *     holdfast1:<host>:<HTTPS port>:<SHA-256 of the CA certificate, hex>:<registration key>
 *
 * An IPv6 host stands in brackets. The fingerprint is what makes the first connection safe: the device fetches the CA
 * certificate from the server over an unverified connection, compares, and from then on trusts that CA alone.
 */
export type Enrolment = {
  readonly host: string;
  readonly port: number;
  readonly caFingerprint: string;
  readonly registrationKey: string;
};

const LINE = /^holdfast1:(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5}):([0-9a-f]{64}):([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})$/;

export function formatEnrolment(e: Enrolment): string {
  const host = e.host.includes(':') ? `[${e.host}]` : e.host;
  return `holdfast1:${host.toLowerCase()}:${e.port}:${e.caFingerprint}:${e.registrationKey}`;
}

export function parseEnrolment(line: string): Enrolment {
  const match = LINE.exec(line.trim());
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65535) throw new ProtocolError('enrolment_string_invalid');
  const [, host = '', , caFingerprint = '', registrationKey = ''] = match;
  return { host: host.replace(/^\[|\]$/g, ''), port, caFingerprint, registrationKey };
}

/** Where the API of an enrolled server is. */
export const baseUrl = ({ host, port }: Pick<Enrolment, 'host' | 'port'>): string =>
  `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
