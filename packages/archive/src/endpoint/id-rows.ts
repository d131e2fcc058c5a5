// Rows of numbers found by chunk id, in memory: made for millions of chunks and few bytes for each.
//
// Nouns: a *row* holds the first 16 bytes of an id and some u32 words beside it, numbered in the order of adding; a *segment* holds 2,048
// rows as flat numbers; a *slot* of the open-addressing table holds a row's number. An id may have several rows. Its first 16
// bytes stand for it, as in a server's index: they are the output of an HMAC, so two chunks share them as seldom as they
// share all 32.
//
//   row  = 16 bytes of the id + 4 bytes per word
//   slot = 4 bytes, between 3/8 and 3/4 full: 5.3 to 10.7 bytes a row

import { PREFIX_LENGTH } from './endpoint.ts';

const SEGMENT_BITS = 11;
const SEGMENT_ROWS: number = 1 << SEGMENT_BITS;
const ID_WORDS: number = PREFIX_LENGTH / 4;
const FIRST_CAPACITY = 1024;
const MAX_LOAD = 0.75;

export class IdRows {
  /** Number of rows. */
  size = 0;
  private readonly width: number;
  private readonly segments: Uint32Array[] = [];
  /** Row number + 1; 0 is free. */
  private slots = new Uint32Array(FIRST_CAPACITY);
  private readonly wanted = new Uint32Array(ID_WORDS);
  private readonly wantedBytes = new Uint8Array(this.wanted.buffer);

  /** `words` beside the id. */
  constructor(words: number) {
    this.width = ID_WORDS + words;
  }

  /** Adds a row, whether the id has others or not, and returns its number. */
  append(id: Uint8Array, ...words: readonly number[]): number {
    const number = this.size++;
    if (number >> SEGMENT_BITS === this.segments.length) this.segments.push(new Uint32Array(SEGMENT_ROWS * this.width));
    this.wantedBytes.set(id.subarray(0, PREFIX_LENGTH));
    const segment = this.segmentOf(number);
    const at = this.offsetOf(number);
    segment.set(this.wanted, at);
    segment.set(words, at + ID_WORDS);
    if (this.size > this.slots.length * MAX_LOAD) this.grow();
    else this.place(number);
    return number;
  }

  /** The number of the first row of an id that was added, or -1. */
  find(id: Uint8Array): number {
    let first = -1;
    this.each(id, (number) => {
      if (first === -1 || number < first) first = number;
    });
    return first;
  }

  /** The numbers of all rows of an id, in the order of adding. */
  findAll(id: Uint8Array): number[] {
    const found: number[] = [];
    this.each(id, (number) => found.push(number));
    return found.length < 2 ? found : found.sort((a, b) => a - b);
  }

  word(number: number, index: number): number {
    return this.segmentOf(number)[this.offsetOf(number) + ID_WORDS + index] as number;
  }

  setWord(number: number, index: number, value: number): void {
    this.segmentOf(number)[this.offsetOf(number) + ID_WORDS + index] = value;
  }

  /** The first 16 bytes of a row's id, a view. */
  prefix(number: number): Uint8Array {
    const { buffer } = this.segmentOf(number);
    return new Uint8Array(buffer, this.offsetOf(number) * 4, PREFIX_LENGTH);
  }

  /** Bytes of memory taken. */
  get byteLength(): number {
    return this.segments.length * SEGMENT_ROWS * this.width * 4 + this.slots.byteLength;
  }

  private each(id: Uint8Array, use: (number: number) => void): void {
    this.wantedBytes.set(id.subarray(0, PREFIX_LENGTH));
    const mask = this.slots.length - 1;
    for (let slot = (this.wanted[0] as number) & mask; this.slots[slot] !== 0; slot = (slot + 1) & mask) {
      const number = (this.slots[slot] as number) - 1;
      if (this.isWanted(number)) use(number);
    }
  }

  private grow(): void {
    this.slots = new Uint32Array(this.slots.length * 2);
    for (let number = 0; number < this.size; number++) this.place(number);
  }

  private place(number: number): void {
    const mask = this.slots.length - 1;
    let slot = (this.segmentOf(number)[this.offsetOf(number)] as number) & mask;
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
    this.slots[slot] = number + 1;
  }

  private isWanted(number: number): boolean {
    const segment = this.segmentOf(number);
    const at = this.offsetOf(number);
    for (let i = 0; i < ID_WORDS; i++) if (segment[at + i] !== this.wanted[i]) return false;
    return true;
  }

  private segmentOf(number: number): Uint32Array {
    return this.segments[number >> SEGMENT_BITS] as Uint32Array;
  }

  private offsetOf(number: number): number {
    return (number & (SEGMENT_ROWS - 1)) * this.width;
  }
}
