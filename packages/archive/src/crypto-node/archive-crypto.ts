// The synchronous binding of an archive's keys: node:crypto for HMAC and AES-GCM, node:zlib for zstd.
// Made for worker threads, where the asynchronous interfaces cost several times the work itself.
// crypto/archive-crypto.ts is the same over WebCrypto; format/frame.ts holds what both share.

import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ArchiveError } from '../errors.ts';
import type { ArchiveCrypto, FillRandom } from '../format/archive-crypto.ts';
import { readU32 } from '../format/bytes.ts';
import {
  type ChunkEntry,
  ENTRY_LENGTH,
  MAX_STORED_LENGTH,
  NO_LINKS,
  NONCE_LENGTH,
  TAG_LENGTH,
  writeEntry,
} from '../format/entry.ts';
import {
  borderMessage,
  CODEC,
  checkExpected,
  frameKeyMessage,
  gearMessage,
  idPrefix,
  MAX_PLAIN_LENGTH,
  SEALED_HEAD,
  SNAPSHOT_MAC_LABEL,
  sealedHead,
  splitFrame,
  storedLengthOf,
  unpackSealed,
} from '../format/frame.ts';
import { equalBytes } from '../format/ids.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import { KIND, type Kind } from '../format/kinds.ts';
import { HmacKey } from './hmac.ts';
import { release } from './release.ts';

export type { ArchiveCrypto, FillRandom, Opened } from '../format/archive-crypto.ts';

/** A writer stores raw when zstd saves less than 3 % (format §3.2). */
const WORTH_COMPRESSING = 0.97;
const ZSTD_PARAMS = { [constants.ZSTD_c_compressionLevel]: 1 };
/** Of short bodies zstd saves a hundred bytes, and takes longer for that than everything else about them. */
const MIN_COMPRESSED = 512;
const FILE_PREFIX: Uint8Array = idPrefix(KIND.file, undefined);
const ZEROS: Uint8Array = new Uint8Array(262_144);

export function createArchiveCrypto(keys: ArchiveKeys, fillRandom: FillRandom = pooledRandom()): ArchiveCrypto {
  const idKey = new HmacKey(keys.idKey);
  const chunkerKey = new HmacKey(keys.chunkerKey);
  const contentKeys = new Map([...keys.contentKeys].map(([generation, key]) => [generation, new HmacKey(key)]));
  const snapshotKey = new HmacKey(idKey.mac(SNAPSHOT_MAC_LABEL));
  const newest = Math.max(...contentKeys.keys());

  const frameKey = (generation: number, kind: Kind, id: Uint8Array): Uint8Array => {
    const key = contentKeys.get(generation);
    if (key === undefined) throw new ArchiveError('generation_unknown', { generation, id });
    return key.mac(frameKeyMessage(kind, id));
  };
  const chunkId = (kind: Kind, plaintext: Uint8Array, links?: Uint8Array): Uint8Array =>
    idKey.mac(idPrefix(kind, links), plaintext);

  return {
    newest,
    chunkId,
    fileId: (content) => idKey.mac(FILE_PREFIX, content).subarray(0, 16),
    seal: (kind, id, plaintext, links = NO_LINKS) => {
      const packed = pack(plaintext);
      const entry = { kind, generation: newest, id, storedLength: storedLengthOf(packed.bytes.length), links };
      const frame = sealFrame(entry, frameKey(newest, kind, id), keys.archiveId, packed, fillRandom);
      if (packed.codec === CODEC.zstd) release(packed.bytes);
      return frame;
    },
    open: (frame, expected) => {
      const parts = splitFrame(frame);
      const { kind, generation, id, links } = parts.entry;
      checkExpected(parts.entry, expected);
      const opened = decrypt(parts, frameKey(generation, kind, id), keys.archiveId);
      const plaintext = unpackSealed(opened, decompress);
      if (plaintext.buffer !== opened.buffer) release(opened);
      if (!equalBytes(chunkId(kind, plaintext, links), id)) throw new ArchiveError('chunk_id_mismatch', { id });
      return { entry: parts.entry, plaintext };
    },
    gear: () => gearTable(chunkerKey),
    border: (label, level, bytes) => readU32(chunkerKey.mac(borderMessage(label, level, bytes)), 0),
    snapshotMac: (envelope) => snapshotKey.mac(envelope),
  };
}

/** Asks the system for many nonces at a time, since each question costs more than the answer. */
function pooledRandom(): FillRandom {
  const pool = Buffer.alloc(256 * NONCE_LENGTH);
  let at = pool.length;
  return (target) => {
    if (at + target.length > pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    target.set(pool.subarray(at, at + target.length));
    at += target.length;
  };
}

type Packed = { readonly codec: number; readonly plainLength: number; readonly bytes: Uint8Array };

function pack(plaintext: Uint8Array): Packed {
  const plainLength = plaintext.length;
  if (plainLength > MAX_PLAIN_LENGTH) throw new ArchiveError('chunk_too_large', { detail: `${plainLength} bytes` });
  if (plainLength >= MIN_COMPRESSED) {
    // One buffer for the whole output: with zlib's default of 16 KiB pieces this takes half as long again.
    const chunkSize = plainLength + (plainLength >> 7) + 1024;
    const bytes = zstdCompressSync(plaintext, { chunkSize, params: ZSTD_PARAMS });
    if (bytes.length < plainLength * WORTH_COMPRESSING) return { codec: CODEC.zstd, plainLength, bytes };
    release(bytes);
  }
  return { codec: CODEC.raw, plainLength, bytes: plaintext };
}

function decompress(frame: Uint8Array, plainLength: number): Uint8Array {
  return zstdDecompressSync(frame, {
    chunkSize: Math.max(plainLength + 64, 64),
    maxOutputLength: Math.max(plainLength, 1),
  });
}

function sealFrame(
  entry: ChunkEntry,
  key: Uint8Array,
  archiveId: Uint8Array,
  packed: Packed,
  fillRandom: FillRandom,
): Uint8Array {
  if (entry.storedLength > MAX_STORED_LENGTH) throw new ArchiveError('chunk_too_large', { id: entry.id });
  const frame = Buffer.allocUnsafe(ENTRY_LENGTH + entry.links.length + entry.storedLength);
  const nonceAt = writeEntry(entry, frame, 0);
  const nonce = frame.subarray(nonceAt, nonceAt + NONCE_LENGTH);
  fillRandom(nonce);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_LENGTH });
  cipher.setAAD(Buffer.concat([archiveId, frame.subarray(0, nonceAt)]));
  let at = nonceAt + NONCE_LENGTH;
  const padding = frame.length - at - TAG_LENGTH - SEALED_HEAD - packed.bytes.length;
  for (const part of [sealedHead(packed.codec, packed.plainLength), packed.bytes, ZEROS.subarray(0, padding)]) {
    if (part.length > 0) {
      const sealed = cipher.update(part);
      frame.set(sealed, at);
      release(sealed);
    }
    at += part.length;
  }
  cipher.final();
  frame.set(cipher.getAuthTag(), at);
  return frame;
}

function decrypt(parts: ReturnType<typeof splitFrame>, key: Uint8Array, archiveId: Uint8Array): Uint8Array {
  const decipher = createDecipheriv('aes-256-gcm', key, parts.nonce, { authTagLength: TAG_LENGTH });
  decipher.setAAD(Buffer.concat([archiveId, parts.entryBytes]));
  decipher.setAuthTag(parts.tag);
  const opened = decipher.update(parts.ciphertext);
  try {
    decipher.final();
  } catch (cause) {
    throw new ArchiveError('chunk_seal_broken', { id: parts.entry.id }, { cause });
  }
  return opened;
}

function gearTable(chunkerKey: HmacKey): Int32Array {
  const gear = new Int32Array(256);
  for (let row = 0; row < 32; row++) {
    const numbers = chunkerKey.mac(gearMessage(row));
    for (let j = 0; j < 8; j++) gear[8 * row + j] = readU32(numbers, 4 * j);
  }
  return gear;
}
