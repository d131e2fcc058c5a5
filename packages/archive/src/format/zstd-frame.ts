// How long is the zstd frame at the beginning of some bytes (RFC 8878 §3.1.1)? The sealed bytes end in
// zero padding, and decoders differ on what they make of bytes behind a frame; so the frame is cut out
// first, by its block headers, and its promises are checked before a decoder allocates anything.

import { invalid } from '../errors.ts';

const MAGIC = 0xfd2fb528;
const BLOCK = { raw: 0, rle: 1, compressed: 2 } as const;
const MAX_BLOCK = 131_072;
const MAX_WINDOW = 8_388_608;

/** The compressed length of the frame that must hold `plainLength` bytes. */
export function zstdFrameLength(b: Uint8Array, plainLength: number): number {
  let at = blocksBegin(b, plainLength);
  const hasChecksum = ((b[4] as number) & 4) !== 0;
  let known = 0;
  for (let last = false; !last; ) {
    if (at + 3 > b.length) throw broken('ends too early');
    const header = (b[at] as number) | ((b[at + 1] as number) << 8) | ((b[at + 2] as number) << 16);
    last = (header & 1) === 1;
    const type = (header >>> 1) & 3;
    const size = header >>> 3;
    if (type > BLOCK.compressed || size > MAX_BLOCK) throw broken('has an invalid block');
    if (type !== BLOCK.compressed) known += size;
    if (known > plainLength) throw broken('is longer than announced');
    at += 3 + (type === BLOCK.rle ? 1 : size);
  }
  if (hasChecksum) at += 4;
  if (at > b.length) throw broken('ends too early');
  return at;
}

/** Checks the frame header; returns where the first block begins. */
function blocksBegin(b: Uint8Array, plainLength: number): number {
  if (b.length < 9 || littleEndian(b, 0, 4) !== MAGIC) throw broken('has no magic number');
  const descriptor = b[4] as number;
  if ((descriptor & 8) !== 0) throw broken('sets a reserved bit');
  if ((descriptor & 3) !== 0) throw broken('asks for a dictionary');
  const singleSegment = (descriptor & 32) !== 0;
  const flag = descriptor >>> 6;
  const sizeAt = singleSegment ? 5 : 6;
  const sizeLength = flag === 0 ? (singleSegment ? 1 : 0) : 2 ** flag;
  if (sizeAt + sizeLength > b.length) throw broken('ends too early');
  if (sizeLength > 0 && littleEndian(b, sizeAt, sizeLength) + (flag === 1 ? 256 : 0) !== plainLength)
    throw broken('announces another length');
  if (!singleSegment && windowSize(b[5] as number) > MAX_WINDOW) throw broken('asks for too large a window');
  return sizeAt + sizeLength;
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

function littleEndian(b: Uint8Array, at: number, length: number): number {
  let n = 0;
  for (let i = length - 1; i >= 0; i--) n = n * 256 + (b[at + i] as number);
  return n;
}

const broken = (detail: string) => invalid('chunk', `the zstd frame ${detail}`);
