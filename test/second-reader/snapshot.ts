/** Snapshot objects (format §6.1): what is signed, what is sealed, and who may sign. */
import { createHash } from 'node:crypto';
import { decodeCbor, type Value } from './cbor.ts';
import type { DeviceList } from './device-list.ts';
import { bodyOf, bytes, field, id16, id32, list, optional, text, uint } from './fields.ts';
import { KIND, openFrame } from './frame.ts';
import { type ArchiveKeys, hmac, snapshotMacKey } from './keys.ts';
import { demand } from './refusal.ts';
import { isSigned } from './statement.ts';

export interface Envelope {
  readonly archiveId: Buffer;
  readonly deviceId: Buffer;
  readonly setId: Buffer;
  readonly destinationId: Buffer;
  readonly sequence: number;
  readonly deviceTimeMs: number;
  readonly root: Buffer;
  readonly parent: Buffer | null;
  readonly descriptionHash: Buffer;
  readonly partial: boolean;
}

export interface Description {
  readonly deviceName: string;
  readonly setName: string;
  readonly paths: readonly Buffer[];
  readonly counts: {
    readonly files: number;
    readonly directories: number;
    readonly others: number;
    readonly bytes: number;
  };
  readonly agentVersion: string;
  readonly startedMs: number;
  readonly skipped: readonly { readonly path: Buffer; readonly reason: string }[];
  readonly skippedCount: number;
  readonly os: string;
}

export interface Snapshot {
  /** Lower-case hex, the object's name in the store point. */
  readonly id: string;
  readonly envelope: Envelope;
  readonly description: Description;
}

const MAX_SKIPPED = 1000;
const sha256 = (data: Buffer): Buffer => createHash('sha256').update(data).digest();

function partialOf(value: Value): true {
  demand(value === true, 'malformed', 'a snapshot that says it is not partial');
  return value;
}

export function parseEnvelope(encoded: Buffer): Envelope {
  const map = bodyOf(encoded, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const parent = field(map, 8);
  const sequence = uint(field(map, 5));
  demand(
    sequence >= 1 && (sequence === 1) === (parent === null),
    'malformed',
    'a sequence that its parent contradicts',
  );
  return {
    archiveId: id16(field(map, 1)),
    deviceId: id16(field(map, 2)),
    setId: id16(field(map, 3)),
    destinationId: id16(field(map, 4)),
    sequence,
    deviceTimeMs: uint(field(map, 6)),
    root: id32(field(map, 7)),
    parent: parent === null ? null : id32(parent),
    descriptionHash: id32(field(map, 9)),
    partial: optional(map, 10, partialOf) ?? false,
  };
}

function skippedOf(value: Value): Description['skipped'] {
  const rows = list(value).map((row) => list(row, 2));
  demand(rows.length <= MAX_SKIPPED, 'malformed', `${rows.length} skipped entries`);
  return rows.map(([path, reason]) => ({ path: bytes(path!), reason: text(reason!) }));
}

export function parseDescription(plaintext: Buffer): Description {
  const map = bodyOf(plaintext, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const [files, directories, others, total] = list(field(map, 4), 4).map((count) => uint(count));
  return {
    deviceName: text(field(map, 1)),
    setName: text(field(map, 2)),
    paths: list(field(map, 3)).map((path) => bytes(path)),
    counts: { files: files!, directories: directories!, others: others!, bytes: total! },
    agentVersion: text(field(map, 5)),
    startedMs: uint(field(map, 6)),
    skipped: skippedOf(field(map, 7)),
    skippedCount: uint(field(map, 8)),
    os: text(field(map, 9)),
  };
}

function demandSigned(encoded: Buffer, envelope: Envelope, signature: Buffer, { devices }: DeviceList): void {
  const device = devices.find(({ deviceId }) => deviceId.equals(envelope.deviceId));
  demand(device !== undefined, 'untrusted_signer', 'a snapshot of a device that is not in the list');
  const signed = isSigned('holdfast snapshot 1\0', encoded, signature, device.publicKey);
  demand(signed, 'bad_signature', 'the signature of a snapshot does not match');
}

function openDescription(frame: Buffer, keys: ArchiveKeys): Description {
  const { kind, body } = openFrame(frame, keys);
  demand(kind === KIND.description, 'wrong_kind', 'a description of another kind');
  return parseDescription(body);
}

/** Opens a snapshot object after all that format §6.1 asks for has been checked. */
export function openSnapshot(object: Buffer, keys: ArchiveKeys, devices: DeviceList): Snapshot {
  const [first, signature, mac, last] = list(decodeCbor(object), 4).map((value) => bytes(value));
  const [encoded, description] = [first!, last!];
  const envelope = parseEnvelope(encoded);
  demand(envelope.archiveId.equals(keys.archiveId), 'wrong_archive', 'a snapshot of another archive');
  demandSigned(encoded, envelope, bytes(signature!, 64), devices);
  demand(
    hmac(snapshotMacKey(keys.idKey), encoded).equals(bytes(mac!, 32)),
    'bad_mac',
    'the MAC of a snapshot does not match',
  );
  demand(sha256(description).equals(envelope.descriptionHash), 'bad_mac', 'a description of another snapshot');
  return { id: sha256(encoded).toString('hex'), envelope, description: openDescription(description, keys) };
}
