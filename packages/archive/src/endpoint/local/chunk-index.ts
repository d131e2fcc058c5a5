// Where each chunk of an archive lies, in memory: made for millions of chunks, at most 40 bytes for each.
//
// Nouns: a *row* is one location of one chunk, numbered in the order of adding; a *segment* holds 2,048 rows as flat numbers; a *slot* of the
// open-addressing table holds a row's number. A chunk may have several rows. As in a server's index the first 16 bytes stand for
// the id: they are the output of an HMAC, so two chunks share them as seldom as they share all.
//
//   row  = 4 words of the id, pack number, offset, length (28 bytes) + kind (1 byte)
//   slot = 4 bytes, between 3/8 and 3/4 full

import { PREFIX_LENGTH } from '../endpoint.ts';

const SEGMENT_BITS = 11;
const SEGMENT_ROWS: number = 1 << SEGMENT_BITS;
const WORDS = 7;
const ID_WORDS: number = PREFIX_LENGTH / 4;
const FIRST_CAPACITY = 1024;
const MAX_LOAD = 0.75;
/** In the byte of the kind: this location was reported lost. */
const LOST = 0x80;

type Segment = { readonly words: Uint32Array; readonly bytes: Uint8Array; readonly kinds: Uint8Array };

export type Row = { readonly pack: number; readonly offset: number; readonly length: number; readonly kind: number };

export class ChunkIndex {
  /** Number of rows. */
  size = 0;
  private readonly segments: Segment[] = [];
  /** Row number + 1; 0 is free. */
  private slots = new Uint32Array(FIRST_CAPACITY);
  private readonly wanted = new Uint32Array(ID_WORDS);
  private readonly wantedBytes = new Uint8Array(this.wanted.buffer);

  /** Adds a location, or takes back that it was lost when it is known. Returns the number of its row. */
  add(id: Uint8Array, pack: number, offset: number, length: number, kind: number): number {
    for (const known of this.rowsOf(id)) {
      const row = this.row(known);
      if (row.pack !== pack || row.offset !== offset) continue;
      this.setLost(known, false);
      return known;
    }
    const number = this.append(id, [pack, offset, length], kind);
    if (this.size > this.slots.length * MAX_LOAD) this.grow();
    else this.place(number);
    return number;
  }

  /** The numbers of all rows of a chunk, in the order of adding. */
  rowsOf(id: Uint8Array): number[] {
    this.wantedBytes.set(id.subarray(0, PREFIX_LENGTH));
    const found: number[] = [];
    const mask = this.slots.length - 1;
    for (let slot = (this.wanted[0] as number) & mask; this.slots[slot] !== 0; slot = (slot + 1) & mask) {
      const number = (this.slots[slot] as number) - 1;
      if (this.isWanted(number)) found.push(number);
    }
    return found.length < 2 ? found : found.sort((a, b) => a - b);
  }

  row(number: number): Row {
    const { words, kinds } = this.segmentOf(number);
    const index = number & (SEGMENT_ROWS - 1);
    const at = index * WORDS + ID_WORDS;
    const kind = (kinds[index] as number) & ~LOST;
    return { pack: words[at] as number, offset: words[at + 1] as number, length: words[at + 2] as number, kind };
  }

  isLost(number: number): boolean {
    return ((this.segmentOf(number).kinds[number & (SEGMENT_ROWS - 1)] as number) & LOST) !== 0;
  }

  setLost(number: number, lost: boolean): void {
    const { kinds } = this.segmentOf(number);
    const index = number & (SEGMENT_ROWS - 1);
    const kind = (kinds[index] as number) & ~LOST;
    kinds[index] = lost ? kind | LOST : kind;
  }

  /** Is there a location that was not reported lost? */
  has(id: Uint8Array): boolean {
    return this.rowsOf(id).some((number) => !this.isLost(number));
  }

  /** The first 16 bytes of a row's id, a view. */
  prefix(number: number): Uint8Array {
    const at = (number & (SEGMENT_ROWS - 1)) * WORDS * 4;
    return this.segmentOf(number).bytes.subarray(at, at + PREFIX_LENGTH);
  }

  /** Bytes of memory taken. */
  get byteLength(): number {
    const perSegment = SEGMENT_ROWS * (WORDS * 4 + 1);
    return this.segments.length * perSegment + this.slots.byteLength;
  }

  private append(id: Uint8Array, place: readonly number[], kind: number): number {
    const number = this.size++;
    if (number >> SEGMENT_BITS === this.segments.length) this.segments.push(newSegment());
    const { words, kinds } = this.segmentOf(number);
    const index = number & (SEGMENT_ROWS - 1);
    this.wantedBytes.set(id.subarray(0, PREFIX_LENGTH));
    words.set(this.wanted, index * WORDS);
    words.set(place, index * WORDS + ID_WORDS);
    kinds[index] = kind;
    return number;
  }

  private grow(): void {
    this.slots = new Uint32Array(this.slots.length * 2);
    for (let number = 0; number < this.size; number++) this.place(number);
  }

  private place(number: number): void {
    const mask = this.slots.length - 1;
    let slot = (this.segmentOf(number).words[(number & (SEGMENT_ROWS - 1)) * WORDS] as number) & mask;
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
    this.slots[slot] = number + 1;
  }

  private isWanted(number: number): boolean {
    const { words } = this.segmentOf(number);
    const at = (number & (SEGMENT_ROWS - 1)) * WORDS;
    for (let i = 0; i < ID_WORDS; i++) if (words[at + i] !== this.wanted[i]) return false;
    return true;
  }

  private segmentOf(number: number): Segment {
    return this.segments[number >> SEGMENT_BITS] as Segment;
  }
}

function newSegment(): Segment {
  const words = new Uint32Array(SEGMENT_ROWS * WORDS);
  return { words, bytes: new Uint8Array(words.buffer), kinds: new Uint8Array(SEGMENT_ROWS) };
}
