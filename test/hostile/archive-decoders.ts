/** Decoders of the archive: what a store, a server or another device may have made. */
import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { decompressZstd } from '@holdfast/archive/crypto/zstd.ts';
import { verifyPack } from '@holdfast/archive/endpoint/local/pack-files.ts';
import { readAgeStanzas } from '@holdfast/archive/format/age-header.ts';
import { decode, encode } from '@holdfast/archive/format/cbor.ts';
import { decodeDeviceList, encodeDeviceList } from '@holdfast/archive/format/device-list.ts';
import { decodeEntry, decodeEntryHead, encodeEntry } from '@holdfast/archive/format/entry.ts';
import { CODEC, sealedHead, splitFrame, unpackSealed } from '@holdfast/archive/format/frame.ts';
import { decodeKeyFileBody, encodeKeyFileBody } from '@holdfast/archive/format/key-file.ts';
import { KIND } from '@holdfast/archive/format/kinds.ts';
import { decodeList, encodeList } from '@holdfast/archive/format/list.ts';
import { decodePackHeader, decodeTable, readPackTable, readPackTail } from '@holdfast/archive/format/pack.ts';
import { PackStream } from '@holdfast/archive/format/pack-stream.ts';
import { decodeReceipt, encodeReceipt } from '@holdfast/archive/format/receipt.ts';
import {
  decodeDescription,
  decodeEnvelope,
  decodeSnapshotObject,
  encodeDescription,
  encodeEnvelope,
  encodeSnapshotObject,
} from '@holdfast/archive/format/snapshot.ts';
import { decodeStatement, encodeStatement } from '@holdfast/archive/format/statement.ts';
import { newHash } from '@holdfast/archive/format/testing/frames.ts';
import { GOLDEN, golden } from '@holdfast/archive/format/testing/golden.ts';
import { decodeTombstone, encodeTombstone } from '@holdfast/archive/format/tombstone.ts';
import { decodeDirectory, encodeDirectory } from '@holdfast/archive/format/tree.ts';
import { openWithPassphrase } from '@holdfast/archive/keys/age-file.ts';
import { formatIdentity, parseIdentity } from '@holdfast/archive/keys/identity.ts';
import { decodeWithin, EVERY_NAME } from '@holdfast/archive/restore/directory.ts';
import { parseRetentionHolds } from '@holdfast/archive/retention/holds.ts';
import { parseRetentionPolicy } from '@holdfast/archive/retention/policy.ts';
import { parseName } from '@holdfast/archive/store/layout.ts';
import { Encrypter } from 'age-encryption';
import { type Decoder, textOf, utf8, withWork } from './decoder.ts';

const links = (name: string): Uint8Array => golden(`${name}.links`);
const statementBody = (name: string): Uint8Array => decodeStatement(golden(name)).body;
const inFormat = (file: string, ...names: readonly string[]) => names.map((name) => `archive/format/${file} ${name}`);

const TEXT = Buffer.from(Array.from({ length: 300 }, (_, i) => `line ${i * i}`).join());
const PACK = golden('pack.pack');
const TRAILER = PACK.length - 40;
const TABLE_LENGTH = Buffer.from(PACK).readUInt32BE(TRAILER + 4);
const TABLE_AT = TRAILER - TABLE_LENGTH;
const TABLE = PACK.subarray(TABLE_AT, TRAILER);
const COUNT = Buffer.from(PACK).readUInt32BE(TRAILER);
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** The table's hash made to fit, so that what it covers is read. */
function rehashed(pack: Uint8Array): Uint8Array {
  const copy = Buffer.from(pack);
  const trailer = copy.length - 40;
  if (trailer < 28) return copy;
  const tableAt = Math.max(28, trailer - copy.readUInt32BE(trailer + 4));
  sha256(copy.subarray(tableAt, trailer + 8)).copy(copy, trailer + 8);
  return copy;
}

function streamed(pack: Uint8Array): unknown {
  const stream = new PackStream(null, newHash);
  // In pieces, as a line brings them
  for (let at = 0; at < pack.length; at += 7) stream.push(pack.subarray(at, at + 7));
  return stream.end();
}

const sealed = (codec: number, plainLength: number, packed: Uint8Array): Uint8Array =>
  Buffer.concat([sealedHead(codec, plainLength), packed, Buffer.alloc(9)]);

async function passphraseFile(): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(GOLDEN.passphrase.normalize('NFC'));
  encrypter.setScryptWorkFactor(2);
  return encrypter.encrypt(golden('identity.txt'));
}

const PASSPHRASE_FILE = await passphraseFile();

const FORMAT: readonly Decoder[] = [
  {
    name: 'cbor',
    of: inFormat('cbor.ts', 'decode', 'CborReader'),
    decode,
    golden: [golden('snapshot-first.cbor'), golden('description.cbor')],
    encode,
  },
  {
    name: 'entry',
    of: inFormat('entry.ts', 'decodeEntry'),
    decode: decodeEntry,
    golden: [golden('frame-tree.entry'), golden('frame-data.entry')],
    encode: ({ entry }: ReturnType<typeof decodeEntry>) => encodeEntry(entry),
  },
  {
    name: 'beginning of an entry',
    of: inFormat('entry.ts', 'decodeEntryHead'),
    decode: decodeEntryHead,
    golden: [golden('frame-tree.entry')],
  },
  {
    name: 'frame',
    of: inFormat('frame.ts', 'splitFrame'),
    decode: splitFrame,
    golden: [golden('frame-tree.frame'), golden('frame-data-empty.frame')],
  },
  {
    name: 'sealed bytes',
    of: inFormat('frame.ts', 'unpackSealed'),
    decode: (bytes) => unpackSealed(bytes, decompressZstd),
    golden: [Uint8Array.of(CODEC.raw, 0, 0, 0, 2, 1, 2, 0), sealed(CODEC.zstd, TEXT.length, zstdCompressSync(TEXT))],
  },
  {
    name: 'beginning of a pack',
    of: inFormat('pack.ts', 'decodePackHeader'),
    decode: (bytes) => decodePackHeader(bytes, GOLDEN.archiveId),
    golden: [PACK.subarray(0, 28)],
  },
  {
    name: 'pack',
    of: inFormat('pack.ts', 'readPackTable'),
    decode: (bytes) => readPackTable(bytes, null, newHash),
    golden: [PACK, golden('pack-empty.pack')],
  },
  {
    name: 'pack with a table that hashes',
    of: inFormat('pack.ts', 'readPackTable'),
    decode: (bytes) => readPackTable(rehashed(bytes), null, newHash),
    golden: [PACK, golden('pack-empty.pack')],
  },
  {
    name: 'table of a pack',
    of: inFormat('pack.ts', 'decodeTable'),
    decode: (bytes) => decodeTable(bytes, COUNT, TABLE_AT),
    golden: [TABLE],
  },
  {
    name: 'end of a pack',
    of: inFormat('pack.ts', 'readPackTail'),
    decode: (bytes) => readPackTail(bytes, PACK.length, newHash),
    golden: [PACK.subarray(-TABLE_LENGTH - 60)],
  },
  {
    name: 'pack as it arrives',
    of: inFormat('pack-stream.ts', 'PackStream'),
    decode: streamed,
    golden: [PACK, golden('pack-empty.pack')],
  },
  {
    name: 'pack that is about to be stored',
    of: ['archive/endpoint/local/pack-files.ts verifyPack'],
    decode: (bytes) => verifyPack(sha256(bytes), bytes, GOLDEN.archiveId),
    golden: [PACK],
  },
  ...(['tree-leaf', 'tree-index', 'gone-leaf'] as const).map(
    (name): Decoder => ({
      name: `directory ${name}`,
      of: inFormat('tree.ts', 'decodeDirectory'),
      decode: (bytes) => decodeDirectory(links(name), bytes),
      golden: [golden(`${name}.body`)],
      encode: (body: ReturnType<typeof decodeDirectory>) => encodeDirectory(body).body,
    }),
  ),
  {
    name: 'links of a directory',
    of: inFormat('links.ts', 'LinkReader'),
    decode: (bytes) => decodeDirectory(bytes, golden('tree-leaf.body')),
    golden: [links('tree-leaf')],
    encode: (body: ReturnType<typeof decodeDirectory>) => encodeDirectory(body).links,
  },
  {
    name: 'directory that was asked for',
    of: ['archive/restore/directory.ts decodeWithin'],
    decode: (plaintext) =>
      decodeWithin(
        { kind: KIND.tree, id: new Uint8Array(32), links: links('tree-leaf'), plaintext },
        EVERY_NAME,
        KIND.tree,
      ),
    golden: [golden('tree-leaf.body')],
  },
  ...(['list-leaf', 'list-index'] as const).map(
    (name): Decoder => ({
      name: `segments ${name}`,
      of: inFormat('list.ts', 'decodeList'),
      decode: (bytes) => decodeList(links(name), bytes),
      golden: [golden(`${name}.body`)],
      encode: (body: ReturnType<typeof decodeList>) => encodeList(body).body,
    }),
  ),
  {
    name: 'envelope',
    of: inFormat('snapshot.ts', 'decodeEnvelope'),
    decode: decodeEnvelope,
    golden: [golden('envelope-first.cbor'), golden('envelope-later.cbor')],
    encode: encodeEnvelope,
  },
  {
    name: 'description',
    of: inFormat('snapshot.ts', 'decodeDescription'),
    decode: decodeDescription,
    golden: [golden('description.cbor')],
    encode: encodeDescription,
  },
  {
    name: 'snapshot',
    of: inFormat('snapshot.ts', 'decodeSnapshotObject'),
    decode: decodeSnapshotObject,
    golden: [golden('snapshot-first.cbor')],
    encode: encodeSnapshotObject,
  },
  {
    name: 'statement',
    of: inFormat('statement.ts', 'decodeStatement'),
    decode: decodeStatement,
    golden: [golden('receipt.cbor'), golden('device-list.cbor')],
    encode: encodeStatement,
  },
  {
    name: 'receipt',
    of: inFormat('receipt.ts', 'decodeReceipt'),
    decode: decodeReceipt,
    golden: [statementBody('receipt.cbor')],
    encode: encodeReceipt,
  },
  {
    name: 'tombstone',
    of: inFormat('tombstone.ts', 'decodeTombstone'),
    decode: decodeTombstone,
    golden: [statementBody('tombstone.cbor')],
    encode: encodeTombstone,
  },
  {
    name: 'key file',
    of: inFormat('key-file.ts', 'decodeKeyFileBody'),
    decode: decodeKeyFileBody,
    golden: [golden('key-file-1.body')],
    encode: encodeKeyFileBody,
  },
  {
    name: 'device list',
    of: inFormat('device-list.ts', 'decodeDeviceList'),
    decode: decodeDeviceList,
    golden: [statementBody('device-list.cbor')],
    encode: encodeDeviceList,
  },
  {
    name: 'age header',
    of: inFormat('age-header.ts', 'readAgeStanzas'),
    decode: readAgeStanzas,
    golden: [golden('key-file-1.age'), golden('identity-passphrase.age')],
  },
];

const JSON_OF = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    return null; // what is no JSON is refused before these decoders
  }
};

const RETENTION = {
  steps: [
    { everyMinutes: 15, untilDays: 7 },
    { everyMinutes: 1440, untilDays: null },
  ],
  deletedDays: null,
};

const OTHERS: readonly Decoder[] = [
  {
    name: 'exported key',
    of: ['archive/keys/identity.ts parseIdentity'],
    decode: (bytes) => parseIdentity(textOf(bytes)),
    golden: [golden('identity.txt')],
    encode: (identity: Awaited<ReturnType<typeof parseIdentity>>) => utf8(formatIdentity(identity)),
    weight: 8,
  },
  {
    name: 'key under a password',
    of: ['archive/keys/age-file.ts openWithPassphrase'],
    decode: (bytes) => openWithPassphrase(bytes, GOLDEN.passphrase),
    golden: [PASSPHRASE_FILE],
    lies: [19, 20, 30].map((work) => withWork(PASSPHRASE_FILE, work)),
    weight: 4,
  },
  {
    name: 'name of a stored object',
    of: ['archive/store/layout.ts parseName'],
    decode: (bytes) => parseName(textOf(bytes)),
    golden: [
      `archives/${'0a'.repeat(16)}/packs/ff/${'ff'.repeat(32)}`,
      `archives/${'0a'.repeat(16)}/keys/00001-${'0b'.repeat(16)}.age`,
      `archives/${'0a'.repeat(16)}/devices/0000000017`,
    ].map(utf8),
  },
  {
    name: 'retention',
    of: ['archive/retention/policy.ts parseRetentionPolicy'],
    decode: (bytes) => parseRetentionPolicy(JSON_OF(bytes)),
    golden: [utf8(JSON.stringify(RETENTION))],
  },
  {
    name: 'holds',
    of: ['archive/retention/holds.ts parseRetentionHolds'],
    decode: (bytes) => parseRetentionHolds(JSON_OF(bytes)),
    golden: [utf8(JSON.stringify([{ deviceId: '0a'.repeat(16), from: 1, to: 2 }]))],
  },
];

export const ARCHIVE_DECODERS: readonly Decoder[] = [...FORMAT, ...OTHERS];
