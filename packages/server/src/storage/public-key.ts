import { createPublicKey, type KeyObject } from 'node:crypto';

/** An Ed25519 public key of 32 bytes as Node takes it. */
export const publicKeyOf = (key: Uint8Array): KeyObject =>
  createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') },
    format: 'jwk',
  });
