import { createHash, X509Certificate } from 'node:crypto';
import { type RequestOptions, request } from 'node:https';
import { type EnrolmentInformation, enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import { baseUrl, type Enrolment } from '@holdfast/protocol/enrolment-string.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { AgentError } from '../errors.ts';
import { explainUnreachable } from '../remote/failures.ts';
import type { AuthorityPin } from '../state/device.ts';

/**
 * The first contact: the CA's certificate comes over a connection that proves nothing, and is taken only if its SHA-256 is
 * the one in the enrolment string. Nothing is sent on that connection but the question.
 */
const TIMEOUT_MS = 20_000;
/** For all of it, however often a byte comes. */
const WHOLE_MS = 60_000;
const LONGEST_ANSWER = 64 * 1024;

export async function pinAuthority(enrolment: Enrolment, signal?: AbortSignal): Promise<AuthorityPin> {
  const base = baseUrl(enrolment);
  const { caCertificate } = await askInformation(base, signal);
  const fingerprint = fingerprintOf(caCertificate);
  if (fingerprint !== enrolment.caFingerprint) {
    const data = { expected: enrolment.caFingerprint, found: fingerprint };
    throw new AgentError('ca_mismatch', { what: `${base} shows the authority ${fingerprint.slice(0, 16)}...`, data });
  }
  return { base, caCertificate };
}

function fingerprintOf(pem: string): string {
  try {
    return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
  } catch (cause) {
    throw new AgentError('bad_answer', { what: 'The certificate in the answer cannot be read', cause });
  }
}

async function askInformation(base: string, signal?: AbortSignal): Promise<EnrolmentInformation> {
  const text = await get(`${base}${enrolmentRoutes.enrolment.path}`, signal).catch((cause: unknown) => {
    signal?.throwIfAborted();
    if (cause instanceof AgentError) throw cause;
    throw explainUnreachable(new ProtocolError('unreachable', { cause }), base);
  });
  const parsed = enrolmentRoutes.enrolment.response.safeParse(jsonOf(text));
  if (!parsed.success) throw new AgentError('bad_answer', { what: base, cause: parsed.error });
  return parsed.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // refused by the schema, with a better message
  }
}

function get(url: string, signal?: AbortSignal): Promise<string> {
  const options: RequestOptions = {
    rejectUnauthorized: false,
    timeout: TIMEOUT_MS,
    agent: false,
    ...(signal && { signal }),
  };
  return new Promise((resolve, reject) => {
    const asked = request(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        const length = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
        if (length > LONGEST_ANSWER) asked.destroy(new AgentError('bad_answer', { what: `${url} does not end` }));
      });
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.on('error', reject);
    });
    const tooLate = () => asked.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
    asked.on('timeout', tooLate);
    const timer = setTimeout(tooLate, WHOLE_MS);
    asked.on('close', () => clearTimeout(timer));
    asked.on('error', reject);
    asked.end();
  });
}
