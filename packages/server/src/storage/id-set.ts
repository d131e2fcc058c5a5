// A set of chunk ids by their first 16 bytes, for millions of them: open addressing in one typed array, 16 bytes a slot.
//
// Slots are found by a salted hash of the prefix, since ids come from devices and could be chosen to collide.

const WORDS = 4;
const MAX_LOAD = 0.7;

export class IdSet {
  private table: Uint32Array;
  private readonly salt: number;
  private readonly key = new Uint32Array(WORDS);
  private readonly keyBytes = new Uint8Array(this.key.buffer);
  private count = 0;
  /** An all-zero prefix cannot stand in a slot: zeros mark free ones. */
  private hasZero = false;

  constructor(salt: number, capacity = 1024) {
    this.salt = salt >>> 0;
    this.table = new Uint32Array(slotsFor(capacity) * WORDS);
  }

  get size(): number {
    return this.count + (this.hasZero ? 1 : 0);
  }

  get byteLength(): number {
    return this.table.byteLength;
  }

  /** The id (or prefix) at `at` of `bytes`. True when it was not there before. */
  add(bytes: Uint8Array, at = 0): boolean {
    this.load(bytes, at);
    if (this.isZero()) {
      const added = !this.hasZero;
      this.hasZero = true;
      return added;
    }
    const slot = this.find();
    if (this.isTaken(slot)) return false;
    this.table.set(this.key, slot);
    this.count += 1;
    if (this.count * WORDS > this.table.length * MAX_LOAD) this.grow();
    return true;
  }

  has(bytes: Uint8Array, at = 0): boolean {
    this.load(bytes, at);
    return this.isZero() ? this.hasZero : this.isTaken(this.find());
  }

  private load(bytes: Uint8Array, at: number): void {
    for (let i = 0; i < 16; i++) this.keyBytes[i] = bytes[at + i] as number;
  }

  private isZero(): boolean {
    const { key } = this;
    return key[0] === 0 && key[1] === 0 && key[2] === 0 && key[3] === 0;
  }

  private isTaken(slot: number): boolean {
    const { table } = this;
    return table[slot] !== 0 || table[slot + 1] !== 0 || table[slot + 2] !== 0 || table[slot + 3] !== 0;
  }

  /** Where the key stands, or the free slot where it would. */
  private find(): number {
    const { table, key } = this;
    const mask = table.length - 1;
    for (let slot = this.hash() & mask & ~3; ; slot = (slot + WORDS) & mask) {
      if (!this.isTaken(slot)) return slot;
      if (
        table[slot] === key[0] &&
        table[slot + 1] === key[1] &&
        table[slot + 2] === key[2] &&
        table[slot + 3] === key[3]
      )
        return slot;
    }
  }

  /** A multiplicative mix; enough to keep chosen ids from meeting in one place without knowing the salt. */
  private hash(): number {
    let h = this.salt;
    for (let i = 0; i < WORDS; i++) {
      h = Math.imul(h ^ (this.key[i] as number), 0x9e3779b1);
      h ^= h >>> 15;
    }
    h = Math.imul(h, 0x85ebca6b);
    return (h ^ (h >>> 13)) >>> 0;
  }

  private grow(): void {
    const old = this.table;
    this.table = new Uint32Array(old.length * 2);
    for (let slot = 0; slot < old.length; slot += WORDS) {
      this.key.set(old.subarray(slot, slot + WORDS));
      if (!this.isZero()) this.table.set(this.key, this.find());
    }
  }
}

const slotsFor = (capacity: number): number => 2 ** Math.ceil(Math.log2(Math.max(16, capacity / MAX_LOAD)));
