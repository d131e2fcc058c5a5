// What a server can check of a snapshot (format §6.1): its shape, whose it is, and the device's signature. The MAC is for
// those who have the archive's keys.

import { createHash, verify } from 'node:crypto';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { decodeEntry } from '@holdfast/archive/format/entry.ts';
import { equalBytes } from '@holdfast/archive/format/ids.ts';
import { KIND } from '@holdfast/archive/format/kinds.ts';
import {
  decodeEnvelope,
  decodeSnapshotObject,
  type Envelope,
  type SnapshotObject,
} from '@holdfast/archive/format/snapshot.ts';
import { LABEL, signedMessage } from '@holdfast/archive/format/statement.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { publicKeyOf } from '../public-key.ts';

export type CheckedSnapshot = { readonly id: Uint8Array; readonly envelope: Envelope; readonly object: Uint8Array };

/** Whose snapshot it may be. */
export type Committer = {
  readonly archiveId: Uint8Array;
  readonly deviceId: Uint8Array;
  /** The device's Ed25519 keys that are known here, the likeliest first: any of them may have signed. */
  deviceKeys(): AsyncIterable<Uint8Array>;
};

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

export const refused = (reason: string, cause?: unknown): ProtocolError =>
  new ProtocolError('snapshot_refused', { data: { reason }, cause });

export async function checkSnapshot(object: Uint8Array, committer: Committer): Promise<CheckedSnapshot> {
  const { parts, envelope } = decode(object);
  if (!equalBytes(envelope.archiveId, committer.archiveId)) throw refused('it is of another archive');
  if (!equalBytes(envelope.deviceId, committer.deviceId)) throw refused('it is of another device');
  checkDescription(parts.description);
  if (!equalBytes(sha256(parts.description), envelope.descriptionHash))
    throw refused('its description is not the one that it names');
  if (!(await isSignedByDevice(parts, committer))) throw refused('its signature is not by this device');
  return { id: sha256(parts.envelope), envelope, object };
}

async function isSignedByDevice({ envelope, signature }: SnapshotObject, committer: Committer): Promise<boolean> {
  const message = signedMessage(LABEL.snapshot, envelope);
  for await (const key of committer.deviceKeys()) if (verify(null, message, publicKeyOf(key), signature)) return true;
  return false;
}

function decode(object: Uint8Array): { parts: SnapshotObject; envelope: Envelope } {
  try {
    const parts = decodeSnapshotObject(object);
    return { parts, envelope: decodeEnvelope(parts.envelope) };
  } catch (error) {
    if (error instanceof ArchiveError) throw refused(error.message, error);
    throw error;
  }
}

function checkDescription(frame: Uint8Array): void {
  try {
    const { entry, length } = decodeEntry(frame);
    if (entry.kind !== KIND.description || frame.length !== length + entry.storedLength)
      throw refused(`its description is a frame of kind ${entry.kind}, ${frame.length} bytes long`);
  } catch (error) {
    if (error instanceof ArchiveError) throw refused(error.message, error);
    throw error;
  }
}
