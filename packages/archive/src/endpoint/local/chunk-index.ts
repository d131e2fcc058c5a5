// Where each chunk of an archive lies, in memory: at most 40 bytes for each location (id-rows.ts). A chunk may have several.
//
//   words of a row: pack number, length, offset in the pack with the kind and a mark in the bits above it

import { IdRows } from '../id-rows.ts';

/** A pack has at most 2^25 bytes (format §4). */
const OFFSET_BITS = 25;
const OFFSET_MASK: number = (1 << OFFSET_BITS) - 1;
const KIND_MASK = 0xf;
/** This location was reported lost. */
const LOST: number = 1 << 29;
const [PACK, LENGTH, PLACE] = [0, 1, 2];

export type Row = { readonly pack: number; readonly offset: number; readonly length: number; readonly kind: number };

export class ChunkIndex {
  private readonly rows = new IdRows(3);

  /** Number of locations. */
  get size(): number {
    return this.rows.size;
  }

  get byteLength(): number {
    return this.rows.byteLength;
  }

  /** Adds a location, or takes back that it was lost when it is known. Returns the number of its row. */
  add(id: Uint8Array, pack: number, offset: number, length: number, kind: number): number {
    for (const known of this.rows.findAll(id)) {
      if (this.rows.word(known, PACK) !== pack || (this.rows.word(known, PLACE) & OFFSET_MASK) !== offset) continue;
      this.setLost(known, false);
      return known;
    }
    return this.rows.append(id, pack, length, offset | (kind << OFFSET_BITS));
  }

  /** The numbers of all locations of a chunk, in the order of adding. */
  rowsOf(id: Uint8Array): number[] {
    return this.rows.findAll(id);
  }

  row(number: number): Row {
    const place = this.rows.word(number, PLACE);
    const [pack, length] = [this.rows.word(number, PACK), this.rows.word(number, LENGTH)];
    return { pack, length, offset: place & OFFSET_MASK, kind: (place >>> OFFSET_BITS) & KIND_MASK };
  }

  isLost(number: number): boolean {
    return (this.rows.word(number, PLACE) & LOST) !== 0;
  }

  setLost(number: number, lost: boolean): void {
    const place = this.rows.word(number, PLACE);
    this.rows.setWord(number, PLACE, lost ? place | LOST : place & ~LOST);
  }

  /** Is there a location that was not reported lost? */
  has(id: Uint8Array): boolean {
    return this.rows.findAll(id).some((number) => !this.isLost(number));
  }

  /** The first 16 bytes of a row's id, a view. */
  prefix(number: number): Uint8Array {
    return this.rows.prefix(number);
  }
}
