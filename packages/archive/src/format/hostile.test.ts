// What a store or a stranger may hand to each decoder: arbitrary bytes, and golden files with a few
// bytes changed. The answer is a value or an ArchiveError, never another exception, never a hang.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { decompressZstd } from '../crypto/zstd.ts';
import { ArchiveError } from '../errors.ts';
import { readAgeStanzas } from './age-header.ts';
import { decode } from './cbor.ts';
import { decodeDeviceList } from './device-list.ts';
import { decodeEntry } from './entry.ts';
import { CODEC, sealedHead, splitFrame, unpackSealed } from './frame.ts';
import { decodeKeyFileBody } from './key-file.ts';
import { decodeList } from './list.ts';
import { readPackTable, readPackTail } from './pack.ts';
import { decodeReceipt } from './receipt.ts';
import { decodeDescription, decodeEnvelope, decodeSnapshotObject } from './snapshot.ts';
import { decodeStatement } from './statement.ts';
import { mutated } from './testing/arbitrary.ts';
import { newHash } from './testing/frames.ts';
import { golden } from './testing/golden.ts';
import { decodeTombstone } from './tombstone.ts';
import { decodeDirectory } from './tree.ts';

type Decoder = (bytes: Uint8Array) => unknown;
const links = (name: string): Uint8Array => golden(`${name}.links`);
const statementBody = (name: string): Uint8Array => decodeStatement(golden(name)).body;

const TEXT = Buffer.from(Array.from({ length: 300 }, (_, i) => `line ${i * i}`).join());

const DECODERS: Record<string, [Decoder, ...Uint8Array[]]> = {
  cbor: [decode, golden('snapshot-first.cbor'), golden('description.cbor')],
  entry: [decodeEntry, golden('frame-tree.entry'), golden('frame-data.entry')],
  frame: [splitFrame, golden('frame-tree.frame'), golden('frame-data-empty.frame')],
  pack: [(b) => readPackTable(b, null, newHash), golden('pack.pack'), golden('pack-empty.pack')],
  'end of a pack': [(b) => readPackTail(b, 2850, newHash), golden('pack.pack').subarray(-600)],
  'tree leaf': [(b) => decodeDirectory(links('tree-leaf'), b), golden('tree-leaf.body')],
  'tree index': [(b) => decodeDirectory(links('tree-index'), b), golden('tree-index.body')],
  'gone chunk': [(b) => decodeDirectory(links('gone-leaf'), b), golden('gone-leaf.body')],
  'links of a tree': [(b) => decodeDirectory(b, golden('tree-leaf.body')), links('tree-leaf')],
  'list leaf': [(b) => decodeList(links('list-leaf'), b), golden('list-leaf.body')],
  'list index': [(b) => decodeList(links('list-index'), b), golden('list-index.body')],
  envelope: [decodeEnvelope, golden('envelope-first.cbor'), golden('envelope-later.cbor')],
  description: [decodeDescription, golden('description.cbor')],
  snapshot: [decodeSnapshotObject, golden('snapshot-first.cbor')],
  statement: [decodeStatement, golden('receipt.cbor'), golden('device-list.cbor')],
  receipt: [decodeReceipt, statementBody('receipt.cbor')],
  tombstone: [decodeTombstone, statementBody('tombstone.cbor')],
  'key file': [decodeKeyFileBody, golden('key-file-1.body')],
  'device list': [decodeDeviceList, statementBody('device-list.cbor')],
  'age header': [readAgeStanzas, golden('key-file-1.age'), golden('identity-passphrase.age')],
  'sealed bytes': [
    (b) => unpackSealed(b, decompressZstd),
    Uint8Array.of(CODEC.raw, 0, 0, 0, 2, 1, 2, 0),
    Buffer.concat([sealedHead(CODEC.zstd, TEXT.length), zstdCompressSync(TEXT), Buffer.alloc(9)]),
  ],
};

function refusesInWords(decoder: Decoder, bytes: Uint8Array): void {
  try {
    decoder(bytes);
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw new Error('another error than ArchiveError', { cause: error });
  }
}

describe('hostile bytes', () => {
  for (const [name, [decoder, ...originals]] of Object.entries(DECODERS)) {
    it(`${name}: a changed golden file gives a value or an ArchiveError`, () => {
      for (const original of originals) {
        decoder(original);
        fc.assert(
          fc.property(mutated(original), (bytes) => refusesInWords(decoder, bytes)),
          { numRuns: 1500 },
        );
      }
    });

    it(`${name}: arbitrary bytes give a value or an ArchiveError`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => refusesInWords(decoder, bytes)),
        { numRuns: 1500 },
      );
    });
  }

  it('a few bytes that announce billions are refused at once', () => {
    const billions = [
      Uint8Array.fromHex('9affffffff'),
      Uint8Array.fromHex('baffffffff'),
      Uint8Array.fromHex('5bffffffff00000000'),
    ];
    for (const [name, [decoder]] of Object.entries(DECODERS)) {
      if (name === 'end of a pack') continue; // which asks for more of the pack
      for (const bytes of billions) assert.throws(() => decoder(bytes), ArchiveError, name);
    }
  });
});
