/** The fingerprints of the directories as the last backup knew them, by the hash of their paths: read by all walkers. */
import { firstSlot, prefixWord, slotsFor } from './slots.ts';

const HASH = 16;
const SLOT = 32;
const SMALLEST = 64;

export class FingerprintTable {
  readonly memory: SharedArrayBuffer;
  private readonly bytes: Buffer;
  private readonly slots: number;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.bytes = Buffer.from(memory);
    this.slots = this.bytes.length / SLOT;
  }

  static forDirectories(count: number): FingerprintTable {
    const slots = Math.max(SMALLEST, slotsFor(count));
    return new FingerprintTable(new SharedArrayBuffer(slots * SLOT));
  }

  add(pathHash: Buffer, fingerprint: Buffer): void {
    const at = this.find(pathHash);
    pathHash.copy(this.bytes, at);
    fingerprint.copy(this.bytes, at + HASH);
  }

  /** For a directory that was added; any other stays unknown. */
  replace(pathHash: Buffer, fingerprint: Buffer): void {
    const at = this.find(pathHash);
    if (this.holds(at, pathHash)) fingerprint.copy(this.bytes, at + HASH);
  }

  matches(pathHash: Buffer, fingerprint: Buffer): boolean {
    const at = this.find(pathHash);
    return this.bytes.compare(fingerprint, 0, HASH, at + HASH, at + SLOT) === 0 && this.holds(at, pathHash);
  }

  /** Where it stands, or the free slot where it would. */
  private find(pathHash: Buffer): number {
    for (let slot = firstSlot(prefixWord(pathHash, 0), this.slots); ; slot = (slot + 1) % this.slots) {
      const at = slot * SLOT;
      if (this.holds(at, pathHash) || this.isFree(at)) return at;
    }
  }

  private holds(at: number, pathHash: Buffer): boolean {
    return this.bytes.compare(pathHash, 0, HASH, at, at + HASH) === 0;
  }

  private isFree(at: number): boolean {
    return this.bytes.readBigUInt64LE(at) === 0n && this.bytes.readBigUInt64LE(at + 8) === 0n;
  }
}
