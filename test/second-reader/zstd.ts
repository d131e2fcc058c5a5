/** One zstd frame in front of zeros (format §3.2, RFC 8878 §3.1.1): where it ends, what it asks for, what it holds. */
import { constants, zstdDecompressSync } from 'node:zlib';
import { demand, Refusal } from './refusal.ts';

const MAGIC = 0xfd2fb528;
const MAX_WINDOW_LOG = 23;
const MAX_WINDOW = 1 << MAX_WINDOW_LOG;

interface FrameHeader {
  readonly length: number;
  readonly windowSize: number;
  readonly contentSize: number | undefined;
  readonly hasChecksum: boolean;
}

function littleEndian(bytes: Buffer, at: number, size: number): number {
  demand(at + size <= bytes.length, 'malformed', 'a zstd frame that ends early');
  if (size === 8) return Number(bytes.readBigUInt64LE(at));
  return size === 0 ? 0 : bytes.readUIntLE(at, size);
}

/** RFC 8878 §3.1.1.1.2: an exponent and eighths of it. */
function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSizeOf(bytes: Buffer, at: number, size: number): number | undefined {
  if (size === 0) return undefined;
  return littleEndian(bytes, at, size) + (size === 2 ? 256 : 0);
}

function readHeader(bytes: Buffer): FrameHeader {
  demand(littleEndian(bytes, 0, 4) === MAGIC, 'malformed', 'no zstd frame');
  const descriptor = littleEndian(bytes, 4, 1);
  demand((descriptor & 0x08) === 0, 'malformed', 'a zstd frame with its reserved bit set');
  const single = (descriptor & 0x20) !== 0;
  const dictionarySize = [0, 1, 2, 4][descriptor & 3]!;
  const sizeSize = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const windowAt = 5;
  const dictionaryAt = windowAt + (single ? 0 : 1);
  const sizeAt = dictionaryAt + dictionarySize;
  demand(littleEndian(bytes, dictionaryAt, dictionarySize) === 0, 'malformed', 'a zstd frame that needs a dictionary');
  const contentSize = contentSizeOf(bytes, sizeAt, sizeSize);
  const windowSize = single ? contentSize! : windowOf(littleEndian(bytes, windowAt, 1));
  return { length: sizeAt + sizeSize, windowSize, contentSize, hasChecksum: (descriptor & 0x04) !== 0 };
}

/** The offset behind the last block and the checksum. */
function frameEnd(bytes: Buffer, header: FrameHeader): number {
  let at = header.length;
  for (let last = false; !last; ) {
    const block = littleEndian(bytes, at, 3);
    const isRun = ((block >> 1) & 3) === 1;
    at += 3 + (isRun ? 1 : block >> 3);
    last = (block & 1) === 1;
  }
  return at + (header.hasChecksum ? 4 : 0);
}

function decompress(frame: Buffer, plainLength: number): Buffer {
  try {
    const params = { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG };
    return zstdDecompressSync(frame, { maxOutputLength: Math.max(1, plainLength), params });
  } catch (cause) {
    throw new Refusal('malformed', 'a zstd frame that does not decompress', { cause });
  }
}

/** What the frame at the start of `padded` decompresses to; everything behind it must be zeros. */
export function openZstd(padded: Buffer, plainLength: number): Buffer {
  const header = readHeader(padded);
  demand(header.windowSize <= MAX_WINDOW, 'malformed', 'a zstd frame with a window of more than 8 MiB');
  const told = header.contentSize ?? plainLength;
  demand(told === plainLength, 'malformed', 'a zstd frame of another content size');
  const end = frameEnd(padded, header);
  demand(end <= padded.length, 'malformed', 'a zstd frame that ends early');
  demand(
    padded.subarray(end).every((byte) => byte === 0),
    'malformed',
    'padding that is not zeros',
  );
  const plain = decompress(padded.subarray(0, end), plainLength);
  demand(plain.length === plainLength, 'malformed', 'a zstd frame of another length');
  return plain;
}
