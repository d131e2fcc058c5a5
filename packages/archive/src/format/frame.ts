// format §3.2: a frame is an entry in the clear and a sealed chunk behind it. Here is everything about
// it that needs no key: the bindings in crypto/ and crypto-node/ add HMAC, AES-GCM and zstd.
//
//   seal: pack codec, length, bytes, Padmé zeros -> encrypt under HMAC(content key, kind || id), with
//         archive id || entry as associated data
//   open: check the entry's numbers -> decrypt -> unpack -> compute the id again -> compare

import { ArchiveError, invalid } from '../errors.ts';
import { ascii, concatBytes, readU32, writeU32 } from './bytes.ts';
import { type ChunkEntry, decodeEntry, NONCE_LENGTH, SEAL_OVERHEAD, TAG_LENGTH } from './entry.ts';
import { equalBytes, ID_LENGTH } from './ids.ts';
import { hasLinks, type Kind } from './kinds.ts';
import { padmeLength } from './padme.ts';
import { zstdFrameLength } from './zstd-frame.ts';

export const CODEC = { raw: 0, zstd: 1 } as const;
export const MAX_PLAIN_LENGTH = 8_388_608;
/** Codec byte and plain length in front of the sealed bytes. */
export const SEALED_HEAD = 5;

/** Decompresses one whole zstd frame to exactly `plainLength` bytes, or throws anything. */
export type Decompress = (frame: Uint8Array, plainLength: number) => Uint8Array;

export type FrameParts = {
  readonly entry: ChunkEntry;
  readonly entryBytes: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
};

/** Views of one whole frame. */
export function splitFrame(frame: Uint8Array): FrameParts {
  const { entry, length } = decodeEntry(frame);
  if (frame.length !== length + entry.storedLength) throw invalid('frame', 'its length is not what the entry says');
  const nonceEnd = length + NONCE_LENGTH;
  const tagAt = frame.length - TAG_LENGTH;
  return {
    entry,
    entryBytes: frame.subarray(0, length),
    nonce: frame.subarray(length, nonceEnd),
    ciphertext: frame.subarray(nonceEnd, tagAt),
    tag: frame.subarray(tagAt),
  };
}

/** The whole frame's length when the sealed bytes (compressed or not) take `packedLength`. */
export function storedLengthOf(packedLength: number): number {
  return SEAL_OVERHEAD + padmeLength(SEALED_HEAD + packedLength);
}

export function sealedHead(codec: number, plainLength: number): Uint8Array {
  const head = new Uint8Array(SEALED_HEAD);
  head[0] = codec;
  writeU32(head, 1, plainLength);
  return head;
}

/** What a chunk's id is computed over, in front of the plaintext or body: kind and, where it has them, count and links. */
export function idPrefix(kind: Kind, links: Uint8Array | undefined): Uint8Array {
  if (!hasLinks(kind)) {
    if (links !== undefined && links.length > 0)
      throw new ArchiveError('value_invalid', { detail: `kind ${kind} has no links` });
    return Uint8Array.of(kind);
  }
  const ids = links ?? new Uint8Array(0);
  const prefix = new Uint8Array(5 + ids.length);
  prefix[0] = kind;
  writeU32(prefix, 1, ids.length / ID_LENGTH);
  prefix.set(ids, 5);
  return prefix;
}

/** The message whose HMAC under a content key is the frame key (format §2.1). */
export function frameKeyMessage(kind: Kind, id: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(kind), id);
}

/** The messages of the gear table and of border hashes (format §2.1). */
export const gearMessage = (row: number): Uint8Array => concatBytes(ascii('holdfast gear'), Uint8Array.of(row));
export const borderMessage = (label: string, level: number, bytes: Uint8Array): Uint8Array =>
  concatBytes(ascii(label), Uint8Array.of(level), bytes);
export const SNAPSHOT_MAC_LABEL: Uint8Array = ascii('holdfast snapshot mac');

/** The chunk's plaintext (body, for kinds with links) out of the opened seal. */
export function unpackSealed(opened: Uint8Array, decompress: Decompress): Uint8Array {
  if (opened.length < SEALED_HEAD) throw invalid('chunk', 'the sealed bytes end too early');
  const codec = opened[0] as number;
  const plainLength = readU32(opened, 1);
  if (plainLength > MAX_PLAIN_LENGTH) throw invalid('chunk', `plain length ${plainLength} is out of bounds`);
  const packed = opened.subarray(SEALED_HEAD);
  if (codec === CODEC.raw) return unpackRaw(packed, plainLength);
  if (codec === CODEC.zstd) return unpackZstd(packed, plainLength, decompress);
  throw invalid('chunk', `unknown codec ${codec}`);
}

function unpackRaw(packed: Uint8Array, plainLength: number): Uint8Array {
  if (plainLength > packed.length) throw invalid('chunk', 'the sealed bytes end too early');
  refuseNonZero(packed.subarray(plainLength));
  return packed.subarray(0, plainLength);
}

function unpackZstd(packed: Uint8Array, plainLength: number, decompress: Decompress): Uint8Array {
  const frameLength = zstdFrameLength(packed, plainLength);
  refuseNonZero(packed.subarray(frameLength));
  let plain: Uint8Array;
  try {
    plain = decompress(packed.subarray(0, frameLength), plainLength);
  } catch (cause) {
    throw new ArchiveError(
      'format_invalid',
      { record: 'chunk', detail: 'the zstd frame does not decompress' },
      { cause },
    );
  }
  if (plain.length !== plainLength) throw invalid('chunk', `${plain.length} bytes instead of ${plainLength}`);
  return plain;
}

function refuseNonZero(padding: Uint8Array): void {
  for (let i = 0; i < padding.length; i++) if (padding[i] !== 0) throw invalid('chunk', 'the padding is not zero');
}

/** What the caller of `open` asked for: anything else is refused, even if it opens. */
export type Expected = { readonly kind?: Kind; readonly id?: Uint8Array };

export function checkExpected(entry: ChunkEntry, expected: Expected | undefined): void {
  if (expected?.kind !== undefined && entry.kind !== expected.kind)
    throw new ArchiveError('chunk_unexpected', {
      id: entry.id,
      detail: `kind ${entry.kind} instead of ${expected.kind}`,
    });
  if (expected?.id !== undefined && !equalBytes(entry.id, expected.id))
    throw new ArchiveError('chunk_unexpected', { id: expected.id, detail: 'another id' });
}
