// Ed25519 over WebCrypto, from 32-byte seeds (RFC 8032), so that browser and Node share it.

import { unshared } from '../crypto/web-crypto.ts';
import { ArchiveError } from '../errors.ts';
import { concatBytes } from '../format/bytes.ts';
import { type Label, PUBLIC_KEY_LENGTH, SIGNATURE_LENGTH, signedMessage } from '../format/statement.ts';

export const SEED_LENGTH = 32;

/** `seed` is secret. */
export type SigningKey = { readonly seed: Uint8Array; readonly publicKey: Uint8Array };

/** RFC 8410: what stands before the seed in a PKCS #8 file. */
const PKCS8_HEAD = Uint8Array.fromHex('302e020100300506032b657004220420');

export async function signingKey(seed: Uint8Array): Promise<SigningKey> {
  const { x } = await crypto.subtle.exportKey('jwk', await importSeed(seed, true));
  return { seed, publicKey: Uint8Array.fromBase64(x as string, { alphabet: 'base64url' }) };
}

export async function sign(key: Pick<SigningKey, 'seed'>, label: Label, body: Uint8Array): Promise<Uint8Array> {
  const signature = await crypto.subtle.sign(
    'Ed25519',
    await importSeed(key.seed, false),
    unshared(signedMessage(label, body)),
  );
  return new Uint8Array(signature);
}

/** Throws `signature_invalid`. */
export async function verify(
  publicKey: Uint8Array,
  label: Label,
  body: Uint8Array,
  signature: Uint8Array,
): Promise<void> {
  const fits = signature.length === SIGNATURE_LENGTH && publicKey.length === PUBLIC_KEY_LENGTH;
  if (!fits || !(await verifies(publicKey, signedMessage(label, body), signature)))
    throw new ArchiveError('signature_invalid', { record: label.replace(/ 1\0$/, '') });
}

async function verifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) {
  const key = await crypto.subtle.importKey('raw', unshared(publicKey), 'Ed25519', false, ['verify']);
  return crypto.subtle.verify('Ed25519', key, unshared(signature), unshared(message));
}

async function importSeed(seed: Uint8Array, extractable: boolean): Promise<CryptoKey> {
  if (seed.length !== SEED_LENGTH) throw new ArchiveError('identity_invalid', { detail: 'a signing key has 32 bytes' });
  return crypto.subtle.importKey('pkcs8', concatBytes(PKCS8_HEAD, seed), 'Ed25519', extractable, ['sign']);
}
