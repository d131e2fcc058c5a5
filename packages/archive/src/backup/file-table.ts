/**
 * Where a small file's content is known from, by its file id (format §3.4): shared memory that one thread at a time
 * reads and writes, the one whose turn it is to decide (shared.ts). A value is any number below 2^32 - 1.
 */
import { firstSlot, prefixWord, slotsFor } from './slots.ts';

const SLOT_WORDS = 5;
const SMALLEST = 1024;

export class FileTable {
  readonly memory: SharedArrayBuffer;
  private readonly words: Uint32Array;
  private readonly slots: number;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.words = new Uint32Array(memory);
    this.slots = this.words.length / SLOT_WORDS;
  }

  static forFiles(count: number): FileTable {
    const slots = Math.max(SMALLEST, slotsFor(count));
    return new FileTable(new SharedArrayBuffer(4 * slots * SLOT_WORDS));
  }

  /** What stands for the 16 bytes of `id` from `at` on; if nothing does, `value` from now on, and -1 is returned. */
  getOrSet(id: Uint8Array, at: number, value: number): number {
    const { words } = this;
    const a = prefixWord(id, at);
    const b = prefixWord(id, at + 4);
    const c = prefixWord(id, at + 8);
    const d = prefixWord(id, at + 12);
    for (let slot = firstSlot(a, this.slots) * SLOT_WORDS; ; slot = (slot + SLOT_WORDS) % words.length) {
      const held = words[slot] as number;
      if (held === 0) {
        words[slot] = value + 1;
        words[slot + 1] = a;
        words[slot + 2] = b;
        words[slot + 3] = c;
        words[slot + 4] = d;
        return -1;
      }
      if (words[slot + 1] === a && words[slot + 2] === b && words[slot + 3] === c && words[slot + 4] === d) {
        return held - 1;
      }
    }
  }
}
