/** Signed statements (format §2.3): Ed25519 over a label and the stored body. */
import { createPrivateKey, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { decodeCbor } from './cbor.ts';
import { bytes, id32, list } from './fields.ts';
import { demand } from './refusal.ts';

export type Label =
  | 'holdfast key file 1\0'
  | 'holdfast device list 1\0'
  | 'holdfast receipt 1\0'
  | 'holdfast tombstone 1\0'
  | 'holdfast snapshot 1\0';

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

const publicKeyOf = (raw: Buffer): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI_ED25519, raw]), format: 'der', type: 'spki' });

/** The 32-byte public key of a 32-byte seed (RFC 8032 §5.1.5). */
export function publicKeyOfSeed(seed: Buffer): Buffer {
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  return createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(SPKI_ED25519.length);
}

export function isSigned(label: Label, body: Buffer, signature: Buffer, signer: Buffer): boolean {
  return verify(null, Buffer.concat([Buffer.from(label, 'latin1'), body]), publicKeyOf(signer), signature);
}

/** The body of a statement that one of `trusted` signed. */
export function openStatement(encoded: Buffer, label: Label, trusted: readonly Buffer[]): Buffer {
  const [first, second, third] = list(decodeCbor(encoded), 3);
  const body = bytes(first!);
  const signature = bytes(second!, 64);
  const signer = id32(third!);
  demand(
    trusted.some((key) => key.equals(signer)),
    'untrusted_signer',
    'signed by a key that nobody vouched for',
  );
  demand(isSigned(label, body, signature, signer), 'bad_signature', 'the signature does not match');
  return body;
}
