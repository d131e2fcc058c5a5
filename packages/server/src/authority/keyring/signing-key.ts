import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** An Ed25519 key of the server. */
export type SigningKey = {
  readonly key: KeyObject;
  readonly pem: string;
  /** 32 bytes, hex. */
  readonly publicKey: string;
};

export const newSigningKey = (): SigningKey => signingKeyOf(generateKeyPairSync('ed25519').privateKey);

export const parseSigningKey = (pem: string): SigningKey => signingKeyOf(createPrivateKey(pem));

function signingKeyOf(key: KeyObject): SigningKey {
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError(`an Ed25519 key, not ${key.asymmetricKeyType}`);
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return {
    key,
    pem: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
    publicKey: Buffer.from(x, 'base64url').toString('hex'),
  };
}

export const signWith = (key: SigningKey, bytes: Uint8Array): Uint8Array => sign(null, bytes, key.key);

/** The public half as Node takes it. */
export const publicKeyObject = (hex: string): KeyObject =>
  createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(hex, 'hex').toString('base64url') },
    format: 'jwk',
  });

export const keyIdOf = (publicKey: string): string =>
  createHash('sha256').update(Buffer.from(publicKey, 'hex')).digest('hex');
