/**
 * Where ids lie in an open-addressing table: ids are keyed hashes, so their own first bits spread them, over any number of slots.
 * Whoever does not find an id in its first slot goes on to the next ones.
 */

/** Slots in use of all. More would save little memory and make the ways longer: an id that is there takes 1.8 slots on average, 5.5 at 0.9. */
const LOAD = 0.6;

/** Slots for up to `ids` ids. */
export const slotsFor = (ids: number): number => Math.ceil(ids / LOAD);

/** Four bytes of an id as a number from 0 to 2^32 - 1. */
export function prefixWord(id: Uint8Array, at: number): number {
  const low = (id[at] as number) | ((id[at + 1] as number) << 8) | ((id[at + 2] as number) << 16);
  return (low | ((id[at + 3] as number) << 24)) >>> 0;
}

/** The slot, of `slots`, at which the search for an id begins whose first word this is. */
export const firstSlot = (word: number, slots: number): number => Math.floor((word * slots) / 0x1_0000_0000);
