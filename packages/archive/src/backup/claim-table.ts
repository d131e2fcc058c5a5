/**
 * The ids that are present at the destination or claimed by this run, shared by all threads: an open-addressing table of 16-byte
 * prefixes in shared memory. Who claims an id first stores the chunk, everyone else only refers to it.
 *
 * A slot is `u32 state, 4 * u32 prefix`, 20 bytes: 33 bytes an id (slots.ts). A slot is taken by compare-and-swap and never moves; only
 * its state changes:
 *
 * ```
 * empty -> busy -> known      present at the destination when the session began
 *              \-> claimed    by this run; it becomes knowledge when its pack is acknowledged
 * known, claimed -> dropped   the destination says it lacks it; whoever comes next claims it again
 * ```
 *
 * Claims are numbered *before* they can be seen, so "every claim below n lies in an acknowledged pack" also covers the chunk that another
 * thread found claimed a moment ago (ARCHIVE §5.1).
 *
 * A full table is safe: it answers "store it" and remembers nothing, so that a chunk may be stored twice.
 */
import { firstSlot, prefixWord, slotsFor } from './slots.ts';

const EMPTY = 0;
const BUSY = 1;
const KNOWN = 2;
const CLAIMED = 3;
const DROPPED = 4;

const SLOT_WORDS = 5;
/** Claims so far, slots in use. */
const COUNTERS = 2;
const SMALLEST = 4096;
/** With more of its slots in use the table remembers nothing new. */
const FULL = 0.9;

export type ClaimTableMemory = SharedArrayBuffer;

export class ClaimTable {
  readonly memory: ClaimTableMemory;
  private readonly words: Uint32Array;
  private readonly slots: number;
  private readonly limit: number;

  constructor(memory: ClaimTableMemory) {
    this.memory = memory;
    this.words = new Uint32Array(memory);
    this.slots = (this.words.length - COUNTERS) / SLOT_WORDS;
    this.limit = Math.floor(this.slots * FULL);
  }

  static forIds(ids: number): ClaimTable {
    const slots = Math.max(SMALLEST, slotsFor(ids));
    return new ClaimTable(new SharedArrayBuffer(4 * (COUNTERS + slots * SLOT_WORDS)));
  }

  /** How many claims were numbered so far: every claim that can be seen has a lower number. */
  get claims(): number {
    return Atomics.load(this.words, 0);
  }

  /** Adds a present id; `ids` may hold whole ids or prefixes. */
  addKnown(ids: Uint8Array, at: number): void {
    this.take(ids, at, KNOWN);
  }

  has(id: Uint8Array, at = 0): boolean {
    const slot = this.find(id, at);
    return slot >= 0 && isHere(this.settled(slot));
  }

  /** The claim's number if the caller has to store the chunk now, -1 if somebody has. */
  claim(id: Uint8Array, at = 0): number {
    if (this.has(id, at)) return -1;
    const number = Atomics.add(this.words, 0, 1);
    return this.take(id, at, CLAIMED) ? number : -1;
  }

  /** Forgets an id, so that it is stored again. */
  drop(id: Uint8Array, at = 0): void {
    const slot = this.find(id, at);
    if (slot < 0) return;
    this.settled(slot);
    Atomics.store(this.words, slot, DROPPED);
  }

  /** `true` if the caller has to store it: it took a slot, or none was left. */
  private take(id: Uint8Array, at: number, state: number): boolean {
    const { words } = this;
    for (let slot = this.start(id, at); ; slot = this.after(slot)) {
      let found = Atomics.load(words, slot);
      if (found === EMPTY) {
        if (Atomics.load(words, 1) >= this.limit) return true;
        found = Atomics.compareExchange(words, slot, EMPTY, BUSY);
        if (found === EMPTY) {
          this.write(slot, id, at, state);
          return true;
        }
      }
      found = this.settled(slot);
      if (!this.matches(slot, id, at)) continue;
      if (isHere(found)) return false;
      if (Atomics.compareExchange(words, slot, DROPPED, state) === DROPPED) return true;
      return false;
    }
  }

  private write(slot: number, id: Uint8Array, at: number, state: number): void {
    for (let i = 0; i < 4; i++) this.words[slot + 1 + i] = prefixWord(id, at + 4 * i);
    Atomics.add(this.words, 1, 1);
    Atomics.store(this.words, slot, state);
  }

  private find(id: Uint8Array, at: number): number {
    for (let slot = this.start(id, at); ; slot = this.after(slot)) {
      if (Atomics.load(this.words, slot) === EMPTY) return -1;
      this.settled(slot);
      if (this.matches(slot, id, at)) return slot;
    }
  }

  /** The slot's state once whoever is writing its prefix is done, a few instructions at most. */
  private settled(slot: number): number {
    for (;;) {
      const state = Atomics.load(this.words, slot);
      if (state !== BUSY) return state;
    }
  }

  private start(id: Uint8Array, at: number): number {
    return COUNTERS + firstSlot(prefixWord(id, at), this.slots) * SLOT_WORDS;
  }

  private after(slot: number): number {
    const next = slot + SLOT_WORDS;
    return next < this.words.length ? next : COUNTERS;
  }

  private matches(slot: number, id: Uint8Array, at: number): boolean {
    const { words } = this;
    for (let i = 0; i < 4; i++) if (words[slot + 1 + i] !== prefixWord(id, at + 4 * i)) return false;
    return true;
  }
}

const isHere = (state: number): boolean => state === KNOWN || state === CLAIMED;
