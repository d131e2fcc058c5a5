// format §6.1: a snapshot object is `[envelope, signature, mac, description]`. The envelope stands in the
// clear and chains the snapshots of one device, set and destination; the description is a sealed frame.

import { unencodable } from '../errors.ts';
import { CborReader, type CborValue, CborWriter } from './cbor.ts';
import { ARCHIVE_ID_LENGTH, ID_LENGTH } from './ids.ts';
import { encodeRecord, RecordReader } from './record.ts';
import { SIGNATURE_LENGTH } from './statement.ts';

export const SNAPSHOT_VERSION = 1;
const SHORT_ID = 16;

export type Envelope = {
  readonly archiveId: Uint8Array;
  readonly deviceId: Uint8Array;
  readonly setId: Uint8Array;
  readonly destinationId: Uint8Array;
  /** From 1, one more than the parent's. */
  readonly sequence: number;
  /** ms; shown, never counted by. */
  readonly deviceTime: number;
  /** The root tree's chunk id. */
  readonly root: Uint8Array;
  /** The envelope id before it in its chain. */
  readonly parent: Uint8Array | null;
  /** SHA-256 of the description frame. */
  readonly descriptionHash: Uint8Array;
  readonly partial: boolean;
};

export type SnapshotObject = {
  readonly envelope: Uint8Array;
  readonly signature: Uint8Array;
  readonly mac: Uint8Array;
  /** The whole frame of kind `description`. */
  readonly description: Uint8Array;
};

export function encodeEnvelope(e: Envelope): Uint8Array {
  return encodeRecord(
    [
      [0, SNAPSHOT_VERSION],
      [1, e.archiveId],
      [2, e.deviceId],
      [3, e.setId],
      [4, e.destinationId],
      [5, e.sequence],
      [6, e.deviceTime],
      [7, e.root],
      [8, e.parent],
      [9, e.descriptionHash],
      [10, e.partial ? true : undefined],
    ],
    decodeEnvelope,
  );
}

export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const r = RecordReader.of('envelope', bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const envelope = {
    archiveId: r.bytes(1, ARCHIVE_ID_LENGTH),
    deviceId: r.bytes(2, SHORT_ID),
    setId: r.bytes(3, SHORT_ID),
    destinationId: r.bytes(4, SHORT_ID),
    sequence: r.uint(5),
    deviceTime: r.uint(6),
    root: r.bytes(7, ID_LENGTH),
    parent: r.bytesOrNull(8, ID_LENGTH),
    descriptionHash: r.bytes(9, ID_LENGTH),
    partial: r.flag(10),
  };
  if (envelope.sequence === 0) throw r.fail('sequences count from 1');
  if ((envelope.sequence === 1) !== (envelope.parent === null))
    throw r.fail('the first of a chain, and no other, has no parent');
  return envelope;
}

export function encodeSnapshotObject(object: SnapshotObject): Uint8Array {
  if (object.signature.length !== SIGNATURE_LENGTH || object.mac.length !== ID_LENGTH)
    throw unencodable('snapshot', 'a signature has 64 bytes, a MAC 32');
  const writer = new CborWriter(object.envelope.length + object.description.length + 128);
  writer.array(4);
  writer.bytes(object.envelope);
  writer.bytes(object.signature);
  writer.bytes(object.mac);
  writer.bytes(object.description);
  return writer.finish();
}

export function decodeSnapshotObject(bytes: Uint8Array): SnapshotObject {
  const reader = new CborReader(bytes, 'snapshot');
  if (reader.array() !== 4) throw reader.fail('it has four parts');
  const object = {
    envelope: reader.bytes(),
    signature: reader.bytes(SIGNATURE_LENGTH),
    mac: reader.bytes(ID_LENGTH),
    description: reader.bytes(),
  };
  reader.end();
  return object;
}

export const MAX_SKIPPED = 1000;

/** What a snapshot says about itself; sealed. */
export type Description = {
  readonly deviceName: string;
  readonly setName: string;
  /** The selected paths as the system's bytes. */
  readonly paths: readonly Uint8Array[];
  readonly counts: {
    readonly files: number;
    readonly directories: number;
    readonly others: number;
    readonly bytes: number;
  };
  readonly agentVersion: string;
  /** ms */
  readonly started: number;
  /** At most 1,000 entries that were left out, and why. */
  readonly skipped: readonly { readonly path: Uint8Array; readonly reason: string }[];
  /** How many were left out in all. */
  readonly skippedCount: number;
  readonly os: string;
};

export function encodeDescription(d: Description): Uint8Array {
  return encodeRecord(
    [
      [0, SNAPSHOT_VERSION],
      [1, d.deviceName],
      [2, d.setName],
      [3, d.paths],
      [4, [d.counts.files, d.counts.directories, d.counts.others, d.counts.bytes]],
      [5, d.agentVersion],
      [6, d.started],
      [7, d.skipped.map(({ path, reason }) => [path, reason])],
      [8, d.skippedCount],
      [9, d.os],
    ],
    decodeDescription,
  );
}

export function decodeDescription(bytes: Uint8Array): Description {
  const r = RecordReader.of('description', bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const [files, directories, others, size] = r.numbers(4, 4) as [number, number, number, number];
  const skipped = r.list(7);
  if (skipped.length > MAX_SKIPPED) throw r.fail('too many skipped entries are listed');
  const description = {
    deviceName: r.text(1),
    setName: r.text(2),
    paths: r.list(3).map((path) => bytesOf(r, path)),
    counts: { files, directories, others, bytes: size },
    agentVersion: r.text(5),
    started: r.uint(6),
    skipped: skipped.map((item) => skippedOf(r, item)),
    skippedCount: r.uint(8),
    os: r.text(9),
  };
  if (description.skippedCount < skipped.length) throw r.fail('fewer entries were skipped than are listed');
  return description;
}

function bytesOf(r: RecordReader, value: CborValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw r.fail('a path is no byte string');
  return value;
}

function skippedOf(r: RecordReader, item: CborValue): Description['skipped'][number] {
  if (!Array.isArray(item) || item.length !== 2 || typeof item[1] !== 'string')
    throw r.fail('a skipped entry is path, reason');
  return { path: bytesOf(r, item[0]), reason: item[1] };
}
