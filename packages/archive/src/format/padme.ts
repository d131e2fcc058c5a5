// format §3.2: Padmé padding. It costs at most 12 % (1.2 % on our chunks) and leaves only
// O(log log L) bits of a length to be seen.

/** `length` rounded up to its Padmé length. Exact for every u32. */
export function padmeLength(length: number): number {
  if (length < 2) return length;
  const exponent = floorLog2(length);
  const kept = floorLog2(exponent) + 1;
  const step = 2 ** (exponent - kept);
  return step <= 1 ? length : Math.ceil(length / step) * step;
}

const floorLog2 = (n: number): number => (n === 0 ? 0 : 31 - Math.clz32(n));
