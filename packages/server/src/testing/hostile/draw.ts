// Choices that a seed decides. The generator of the torture campaigns fits too.

export type Draw = {
  /** 0 <= whole number < n. */
  below(n: number): number;
  pick<T>(list: readonly T[]): T;
};

/** mulberry32: small, and the same everywhere. */
export function seeded(seed: number): Draw {
  let state = seed >>> 0;
  const below = (n: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * n);
  };
  return { below, pick: (list) => list[below(list.length)] as (typeof list)[number] };
}
