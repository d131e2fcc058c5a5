/**
 * HMAC-SHA-256 under one key (RFC 2104). Short messages, of which a backup has several for each small file and directory, go through the
 * one-shot hash: `H(key ^ opad || H(key ^ ipad || message))`. An Hmac object costs as much again, most of it when it is collected.
 */
import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';

const BLOCK = 64;
const DIGEST = 32;
/** Up to here copying the message is cheaper than an object. */
const SHORT = 16_384;

export class HmacKey {
  private readonly key: KeyObject;
  private readonly inner: Buffer = Buffer.alloc(BLOCK + SHORT);
  private readonly outer: Buffer = Buffer.alloc(BLOCK + DIGEST);

  /** At most 64 bytes. */
  constructor(key: Uint8Array) {
    if (key.length > BLOCK) throw new RangeError('A key has at most 64 bytes.');
    this.key = createSecretKey(key);
    this.inner.fill(0x36, 0, BLOCK);
    this.outer.fill(0x5c, 0, BLOCK);
    for (const [i, byte] of key.entries()) {
      this.inner[i] = 0x36 ^ byte;
      this.outer[i] = 0x5c ^ byte;
    }
  }

  /** Of the two parts joined. */
  mac(first: Uint8Array, second?: Uint8Array): Buffer {
    const length = first.length + (second?.length ?? 0);
    if (length > SHORT) return this.long(first, second);
    this.inner.set(first, BLOCK);
    if (second) this.inner.set(second, BLOCK + first.length);
    this.outer.set(hash('sha256', this.inner.subarray(0, BLOCK + length), 'buffer'), BLOCK);
    return hash('sha256', this.outer, 'buffer');
  }

  private long(first: Uint8Array, second: Uint8Array | undefined): Buffer {
    const hmac = createHmac('sha256', this.key).update(first);
    if (second) hmac.update(second);
    return hmac.digest();
  }
}
