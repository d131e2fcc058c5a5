import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { AgentError, codeOf } from '../errors.ts';

/** What OpenSSL says when the other side's certificate is not of the authority that we trust. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

const UNKNOWN_NAME: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN']);

/**
 * Nobody answered: is it the network, or somebody else than the server? The client of the protocol says `unreachable` to
 * both; only the first is worth another try.
 */
export function explainUnreachable(error: unknown, base: string): unknown {
  if (!(error instanceof ProtocolError) || error.code !== 'unreachable') return error;
  const { cause } = error;
  if (cause instanceof AgentError) return cause;
  const { host } = new URL(base);
  const code = codeOf(cause) ?? '';
  const detail = code === '' && cause instanceof Error ? cause.message : code;
  if (UNTRUSTED.has(code)) return new AgentError('ca_changed', { what: `${host}: ${detail}`, data: { code }, cause });
  const what = UNKNOWN_NAME.has(code) ? `The name ${host} is not known here` : `${host} does not answer (${detail})`;
  return new AgentError('offline', { what, data: { code }, cause });
}
