import { createCipheriv, createHash } from 'node:crypto';

/**
 * Numbers that a seed decides. One generator for each purpose (`fork`), so that what one part draws never shifts what
 * another one gets.
 */
export class Random {
  readonly seed: string;
  private readonly state: Uint32Array;

  constructor(seed: string) {
    this.seed = seed;
    const digest = createHash('sha256').update(seed).digest();
    this.state = Uint32Array.from([0, 4, 8, 12], (at) => digest.readUInt32LE(at));
  }

  /** An independent generator: the same for the same seed and label, whatever was drawn here before. */
  fork(label: string | number): Random {
    return new Random(`${this.seed}/${label}`);
  }

  /** 0 <= x < 1 (sfc32). */
  next(): number {
    const s = this.state as unknown as [number, number, number, number];
    const sum = (s[0] + s[1] + s[3]) >>> 0;
    s[3] = (s[3] + 1) >>> 0;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = (s[2] + (s[2] << 3)) >>> 0;
    s[2] = (((s[2] << 21) | (s[2] >>> 11)) + sum) >>> 0;
    return sum / 2 ** 32;
  }

  /** 0 <= whole number < n. */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** A whole number from 1 to `most`; small ones are as likely as all larger ones of the same magnitude. */
  magnitude(most: number): number {
    return Math.floor(most ** this.next());
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('nothing to pick from');
    return list[this.below(list.length)] as T;
  }

  shuffled<T>(list: readonly T[]): T[] {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }

  /** Bytes that do not compress. */
  bytes(length: number): Buffer {
    const key = Buffer.alloc(16);
    for (let at = 0; at < 16; at += 4) key.writeUInt32LE(this.below(2 ** 32), at);
    return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
  }
}
