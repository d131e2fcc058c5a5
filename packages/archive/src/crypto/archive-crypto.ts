// The asynchronous binding of an archive's keys over WebCrypto, for browsers: the same methods as
// crypto-node/archive-crypto.ts, each a promise. Chunks are decompressed by fzstd; a browser has no zstd
// encoder, so `seal` stores raw, which the format allows.

import { ArchiveError } from '../errors.ts';
import type { AsyncArchiveCrypto, FillRandom } from '../format/archive-crypto.ts';
import { concatBytes, readU32 } from '../format/bytes.ts';
import {
  type ChunkEntry,
  encodeEntry,
  MAX_STORED_LENGTH,
  NO_LINKS,
  NONCE_LENGTH,
  TAG_LENGTH,
} from '../format/entry.ts';
import {
  borderMessage,
  CODEC,
  checkExpected,
  type FrameParts,
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
import { hmac, importAesKey, importHmacKey, unshared } from './web-crypto.ts';
import { decompressZstd } from './zstd.ts';

export type { AsyncArchiveCrypto, FillRandom, Opened } from '../format/archive-crypto.ts';

const fromBrowser: FillRandom = (target) => target.set(crypto.getRandomValues(new Uint8Array(target.length)));

export function createArchiveCrypto(keys: ArchiveKeys, fillRandom: FillRandom = fromBrowser): AsyncArchiveCrypto {
  const idKey = once(() => importHmacKey(keys.idKey));
  const chunkerKey = once(() => importHmacKey(keys.chunkerKey));
  const snapshotKey = once(async () => importHmacKey(await hmac(await idKey(), SNAPSHOT_MAC_LABEL)));
  const contentKeys = new Map([...keys.contentKeys].map(([g, key]) => [g, once(() => importHmacKey(key))] as const));
  const newest = Math.max(...contentKeys.keys());

  const frameKey = async (generation: number, kind: Kind, id: Uint8Array): Promise<Uint8Array> => {
    const key = contentKeys.get(generation);
    if (key === undefined) throw new ArchiveError('generation_unknown', { generation, id });
    return hmac(await key(), frameKeyMessage(kind, id));
  };
  const chunkId = async (kind: Kind, plaintext: Uint8Array, links?: Uint8Array): Promise<Uint8Array> =>
    hmac(await idKey(), concatBytes(idPrefix(kind, links), plaintext));

  return {
    newest,
    chunkId,
    fileId: async (content) => (await chunkId(KIND.file, content)).subarray(0, 16),
    seal: async (kind, id, plaintext, links = NO_LINKS) => {
      if (plaintext.length > MAX_PLAIN_LENGTH)
        throw new ArchiveError('chunk_too_large', { id, detail: `${plaintext.length} bytes` });
      const entry = { kind, generation: newest, id, storedLength: storedLengthOf(plaintext.length), links };
      return sealFrame(entry, await frameKey(newest, kind, id), keys.archiveId, plaintext, fillRandom);
    },
    open: async (frame, expected) => {
      const parts = splitFrame(frame);
      const { kind, generation, id, links } = parts.entry;
      checkExpected(parts.entry, expected);
      const opened = await decrypt(parts, await frameKey(generation, kind, id), keys.archiveId);
      const plaintext = unpackSealed(opened, decompressZstd);
      if (!equalBytes(await chunkId(kind, plaintext, links), id)) throw new ArchiveError('chunk_id_mismatch', { id });
      return { entry: parts.entry, plaintext };
    },
    gear: async () => gearTable(await chunkerKey()),
    border: async (label, level, bytes) =>
      readU32(await hmac(await chunkerKey(), borderMessage(label, level, bytes)), 0),
    snapshotMac: async (envelope) => hmac(await snapshotKey(), envelope),
  };
}

/** Keys are imported when first needed, and once. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make();
    return made;
  };
}

async function sealFrame(
  entry: ChunkEntry,
  key: Uint8Array,
  archiveId: Uint8Array,
  plaintext: Uint8Array,
  fillRandom: FillRandom,
): Promise<Uint8Array> {
  if (entry.storedLength > MAX_STORED_LENGTH) throw new ArchiveError('chunk_too_large', { id: entry.id });
  const entryBytes = encodeEntry(entry);
  const nonce = new Uint8Array(NONCE_LENGTH);
  fillRandom(nonce);
  const inside = new Uint8Array(entry.storedLength - NONCE_LENGTH - TAG_LENGTH);
  inside.set(sealedHead(CODEC.raw, plaintext.length));
  inside.set(plaintext, SEALED_HEAD);
  const sealed = await crypto.subtle.encrypt(
    aesGcm(nonce, archiveId, entryBytes),
    await importAesKey(key, 'encrypt'),
    inside,
  );
  return concatBytes(entryBytes, nonce, new Uint8Array(sealed));
}

async function decrypt(parts: FrameParts, key: Uint8Array, archiveId: Uint8Array): Promise<Uint8Array> {
  const aesKey = await importAesKey(key, 'decrypt');
  try {
    const opened = await crypto.subtle.decrypt(
      aesGcm(parts.nonce, archiveId, parts.entryBytes),
      aesKey,
      concatBytes(parts.ciphertext, parts.tag),
    );
    return new Uint8Array(opened);
  } catch (cause) {
    throw new ArchiveError('chunk_seal_broken', { id: parts.entry.id }, { cause });
  }
}

const aesGcm = (nonce: Uint8Array, archiveId: Uint8Array, entryBytes: Uint8Array): AesGcmParams => ({
  name: 'AES-GCM',
  iv: unshared(nonce),
  additionalData: concatBytes(archiveId, entryBytes),
  tagLength: 8 * TAG_LENGTH,
});

async function gearTable(chunkerKey: CryptoKey): Promise<Int32Array> {
  const gear = new Int32Array(256);
  for (let row = 0; row < 32; row++) {
    const numbers = await hmac(chunkerKey, gearMessage(row));
    for (let j = 0; j < 8; j++) gear[8 * row + j] = readU32(numbers, 4 * j);
  }
  return gear;
}
