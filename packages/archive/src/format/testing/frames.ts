// Frames without keys, for tests of packs: real entries in front of bytes that nobody opens.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { type ChunkEntry, encodeEntry, MIN_STORED_LENGTH } from '../entry.ts';
import { chunkEntry } from './arbitrary.ts';

export const newHash = () => createHash('sha256');
export const sha256 = (bytes: Uint8Array): Uint8Array => newHash().update(bytes).digest();

export const frameOf = (entry: ChunkEntry): Uint8Array =>
  Buffer.concat([encodeEntry(entry), Buffer.alloc(entry.storedLength, entry.storedLength)]);

export const smallEntries = (): fc.Arbitrary<ChunkEntry[]> =>
  fc.array(
    fc
      .tuple(chunkEntry(), fc.integer({ min: MIN_STORED_LENGTH, max: 300 }))
      .map(([entry, storedLength]) => ({ ...entry, storedLength })),
    { maxLength: 6 },
  );
