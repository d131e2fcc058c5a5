// Bodies of octets that are small on the wire and mean to become large: in depth, in count, or when they are decompressed.

import { gzipSync, zstdCompressSync } from 'node:zlib';
import { encodeStatement } from '@holdfast/archive/format/statement.ts';

/** No whole number of ids: as such it would be a question like others. */
const DEEP = 300_001;
const LARGE = 64 * 1024 * 1024;

const nested = (byte: number): Uint8Array => new Uint8Array(DEEP).fill(byte);
const stated = (body: Uint8Array): Uint8Array =>
  encodeStatement({ body, signature: new Uint8Array(64), signer: new Uint8Array(32) });
/** As the snapshot of a commit stands before its pack. */
function committed(object: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(object.length);
  return Buffer.concat([length, object]);
}

const LISTS = nested(0x81);
/** `{0: {0: ...}}`, two bytes each. */
const MAPS = Buffer.alloc(DEEP, Uint8Array.of(0xa1, 0x00));
const BILLIONS = Uint8Array.fromHex('9affffffff');
/** An envelope of billions of bytes, in a snapshot of three parts. */
const LONG_ENVELOPE = Uint8Array.fromHex('835b00000002540be400');

export const BOMBS: Readonly<Record<string, Uint8Array>> = {
  'lists in lists': LISTS,
  'maps in maps': MAPS,
  'tags of tags': nested(0xc6),
  'a list of billions': BILLIONS,
  'a statement of lists in lists': stated(LISTS),
  'a statement of billions': stated(BILLIONS),
  'a snapshot of lists in lists': committed(LISTS),
  'a snapshot of maps in maps': committed(MAPS),
  'a snapshot with an envelope of 10 GB': committed(LONG_ENVELOPE),
  'a snapshot of 4 GB': Uint8Array.fromHex('ffffffff8340'),
  'zeros under zstd': zstdCompressSync(Buffer.alloc(LARGE)),
  'zeros under gzip': gzipSync(Buffer.alloc(LARGE)),
};
