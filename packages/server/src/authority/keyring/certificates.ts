// The library finds its parts through metadata that this adds
import 'reflect-metadata';
import { createHash, createPrivateKey, X509Certificate as NodeCertificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/**
 * The server's own CA, which devices pin by fingerprint, and the certificate it gives itself. The CA lasts longer than
 * any device; the certificate is renewed by itself.
 */

export type KeyPair = { readonly certificate: string; readonly key: string };

const DAY = 86_400_000;
const CA_DAYS = 20 * 365;
/** Some clients refuse certificates that last longer. */
const CERTIFICATE_DAYS = 397;
/** Renewed this long before its end: a server that was off for months is still in time. */
const RENEW_DAYS = 130;
/** Clocks of devices may be behind. */
const BACKDATE_DAYS = 1;

const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' } as const;

const newKeys = () => crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);

async function pem(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString();
}

const validity = (now: number, days: number) => ({
  notBefore: new Date(now - BACKDATE_DAYS * DAY),
  notAfter: new Date(now + days * DAY),
});

export async function newCertificateAuthority(name: string, now: number): Promise<KeyPair> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    ...validity(now, CA_DAYS),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), key: await pem(keys.privateKey) };
}

/** A certificate for every name and address in `names`; its first name is the subject. */
export async function newServerCertificate(ca: KeyPair, names: readonly string[], now: number): Promise<KeyPair> {
  const issuer = new X509Certificate(ca.certificate);
  const signingKey = createPrivateKey(ca.key).toCryptoKey(KEY_ALGORITHM, false, ['sign']) as CryptoKey;
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${names[0] ?? 'localhost'}`,
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: SIGNING_ALGORITHM,
    ...validity(now, CERTIFICATE_DAYS),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
      ),
      await AuthorityKeyIdentifierExtension.create(issuer),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), key: await pem(keys.privateKey) };
}

/** Whether a certificate ends soon or lacks one of the names. */
export function needsRenewal(certificate: string, names: readonly string[], now: number): boolean {
  const parsed = new NodeCertificate(certificate);
  if (parsed.validToDate.getTime() - now < RENEW_DAYS * DAY) return true;
  return names.some((name) => (isIP(name) === 0 ? parsed.checkHost(name) : parsed.checkIP(name)) === undefined);
}

/** What the enrolment string pins: SHA-256 of the certificate, hex. */
export const fingerprintOf = (certificate: string): string =>
  createHash('sha256').update(new NodeCertificate(certificate).raw).digest('hex');
