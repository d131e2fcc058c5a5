// The few WebCrypto calls that this package makes, with plain byte arrays in and out.

/** WebCrypto takes no view of shared memory. */
export function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}

export const sha256 = async (bytes: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', unshared(bytes)));

export const importHmacKey = (key: Uint8Array): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', unshared(key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);

export const hmac = async (key: CryptoKey, message: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.sign('HMAC', key, unshared(message)));

export const importAesKey = (key: Uint8Array, usage: 'encrypt' | 'decrypt'): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', unshared(key), 'AES-GCM', false, [usage]);
