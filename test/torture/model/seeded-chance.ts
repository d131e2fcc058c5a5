/**
 * The engine draws its nonces from node:crypto and nowhere else. While it runs for the model a seed decides them, in its threads too:
 * else packs would have other names each time, and whatever goes by their order another course.
 */
import crypto, { createCipheriv, hash } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/** Returns what puts the system's chance back. */
export function seedChance(seed: string): () => void {
  const { randomFillSync } = crypto;
  const stream = createCipheriv('aes-256-ctr', hash('sha256', seed, 'buffer'), Buffer.alloc(16));
  const seeded = <T extends NodeJS.ArrayBufferView>(target: T): T => {
    const bytes = new Uint8Array(target.buffer as ArrayBuffer, target.byteOffset, target.byteLength);
    bytes.set(stream.update(new Uint8Array(bytes.length)));
    return target;
  };
  replace(seeded as typeof randomFillSync);
  return () => replace(randomFillSync);
}

function replace(fill: typeof crypto.randomFillSync): void {
  crypto.randomFillSync = fill;
  syncBuiltinESMExports();
}
