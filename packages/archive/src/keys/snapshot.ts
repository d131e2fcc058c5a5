// Sealing and checking snapshots (format §6.1). The signature says which device made it, the MAC that a
// holder of the archive's keys did, and the envelope's hash of the description ties both together.

import { sha256 } from '../crypto/web-crypto.ts';
import { ArchiveError, invalid } from '../errors.ts';
import type { ArchiveCrypto, AsyncArchiveCrypto } from '../format/archive-crypto.ts';
import type { DeviceList, ListedDevice } from '../format/device-list.ts';
import { equalBytes } from '../format/ids.ts';
import { KIND } from '../format/kinds.ts';
import {
  type Description,
  decodeDescription,
  decodeEnvelope,
  decodeSnapshotObject,
  type Envelope,
  encodeDescription,
  encodeEnvelope,
  encodeSnapshotObject,
} from '../format/snapshot.ts';
import { LABEL, signedMessage } from '../format/statement.ts';
import { deviceOf } from './device-list.ts';
import { verify } from './signing.ts';

type AnyCrypto = ArchiveCrypto | AsyncArchiveCrypto;

/** Signs with the device's Ed25519 key. */
export type SignMessage = (message: Uint8Array) => Uint8Array | Promise<Uint8Array>;

export type SealedSnapshot = { readonly id: Uint8Array; readonly object: Uint8Array; readonly envelope: Envelope };

export async function sealSnapshot(
  fields: Omit<Envelope, 'descriptionHash'>,
  description: Description,
  crypto: AnyCrypto,
  sign: SignMessage,
): Promise<SealedSnapshot> {
  const plaintext = encodeDescription(description);
  const frame = await crypto.seal(KIND.description, await crypto.chunkId(KIND.description, plaintext), plaintext);
  const envelope = { ...fields, descriptionHash: await sha256(frame) };
  const bytes = encodeEnvelope(envelope);
  const signature = await sign(signedMessage(LABEL.snapshot, bytes));
  const mac = await crypto.snapshotMac(bytes);
  const object = encodeSnapshotObject({ envelope: bytes, signature, mac, description: frame });
  return { id: await sha256(bytes), object, envelope };
}

export type VerifiedSnapshot = {
  readonly id: Uint8Array;
  readonly envelope: Envelope;
  readonly description: Description;
  /** Who signed it; `removed` may be set, if it was made before that. */
  readonly device: ListedDevice;
};

type Stored = { readonly id: Uint8Array; readonly object: Uint8Array | null };

/** As `openSnapshot`, and it must be the one that its name says: a copy of an older one would hide the loss. */
export async function openStoredSnapshot(
  { id, object }: Stored,
  crypto: AnyCrypto,
  devices: DeviceList,
): Promise<VerifiedSnapshot> {
  if (object === null) throw new ArchiveError('blob_missing', { record: 'snapshot' });
  const opened = await openSnapshot(object, crypto, devices);
  if (!equalBytes(opened.id, id)) throw invalid('snapshot', 'it is another one than its name says');
  return opened;
}

/** The envelope of a snapshot that is refused, if it is whole: it says which chain lacks something. */
export async function envelopeOf({ id, object }: Stored): Promise<Envelope | null> {
  if (object === null) return null;
  try {
    const { envelope } = decodeSnapshotObject(object);
    return equalBytes(await sha256(envelope), id) ? decodeEnvelope(envelope) : null;
  } catch (error) {
    if (error instanceof ArchiveError) return null;
    throw error;
  }
}

/** Everything that format §6.1 asks a reader to check. */
export async function openSnapshot(
  object: Uint8Array,
  crypto: AnyCrypto,
  devices: DeviceList,
): Promise<VerifiedSnapshot> {
  const { envelope: bytes, signature, mac, description: frame } = decodeSnapshotObject(object);
  const envelope = decodeEnvelope(bytes);
  if (!equalBytes(envelope.archiveId, devices.archiveId))
    throw new ArchiveError('wrong_archive', { record: 'snapshot' });
  const device = deviceOf(devices, envelope.deviceId);
  await verify(device.publicKey, LABEL.snapshot, bytes, signature);
  if (!equalBytes(await crypto.snapshotMac(bytes), mac)) throw new ArchiveError('snapshot_mac_invalid');
  if (!equalBytes(await sha256(frame), envelope.descriptionHash))
    throw invalid('snapshot', 'its description is not the one the envelope names');
  const { plaintext } = await crypto.open(frame, { kind: KIND.description });
  return { id: await sha256(bytes), envelope, description: decodeDescription(plaintext), device };
}
