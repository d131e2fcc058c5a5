// Packs and snapshots as a device makes them, with noise where the sealed bytes would be: a server sees no difference.

import { createHash, randomBytes, sign } from 'node:crypto';
import { encodeEntry, MIN_STORED_LENGTH } from '@holdfast/archive/format/entry.ts';
import { compareBytes } from '@holdfast/archive/format/ids.ts';
import { KIND, type Kind } from '@holdfast/archive/format/kinds.ts';
import { PackWriter } from '@holdfast/archive/format/pack.ts';
import { type Envelope, encodeEnvelope, encodeSnapshotObject } from '@holdfast/archive/format/snapshot.ts';
import { LABEL, signedMessage } from '@holdfast/archive/format/statement.ts';
import { type Keys, sha256 } from './test-point.ts';

export type MadePack = { readonly id: Uint8Array; readonly bytes: Uint8Array };

/** Ids of any names: `id('a')` is the same everywhere. */
export const id = (name: string): Uint8Array => sha256(Buffer.from(name));

export type FrameSpec = {
  readonly id: Uint8Array;
  readonly kind?: Kind;
  readonly links?: readonly Uint8Array[];
  /** Bytes after the entry. */
  readonly size?: number;
};

export function frameBytes({ id: chunk, kind, links = [], size = MIN_STORED_LENGTH + 7 }: FrameSpec): Uint8Array {
  const entry = {
    kind: kind ?? (links.length > 0 ? KIND.tree : KIND.data),
    generation: 1,
    id: chunk,
    storedLength: size,
    links: Buffer.concat(links.toSorted(compareBytes)),
  };
  return Buffer.concat([encodeEntry(entry), randomBytes(size)]);
}

const newHash = () => createHash('sha256');

export function makePack(archiveId: Uint8Array, frames: readonly FrameSpec[]): MadePack {
  const writer = new PackWriter(archiveId, newHash, 4096);
  for (const spec of frames) writer.add(frameBytes(spec));
  const bytes = writer.finish().slice();
  return { id: sha256(bytes), bytes };
}

export type MadeSnapshot = { readonly id: Uint8Array; readonly object: Uint8Array; readonly envelope: Envelope };

export type SnapshotSpec = Partial<Envelope> & Pick<Envelope, 'archiveId' | 'deviceId' | 'root'>;

export function makeSnapshot(keys: Keys, spec: SnapshotSpec): MadeSnapshot {
  const description = frameBytes({ id: randomBytes(32), kind: KIND.description });
  const envelope: Envelope = {
    setId: new Uint8Array(16).fill(3),
    destinationId: new Uint8Array(16).fill(4),
    sequence: 1,
    deviceTime: Date.UTC(2026, 0, 1),
    parent: null,
    descriptionHash: sha256(description),
    partial: false,
    ...spec,
  };
  const bytes = encodeEnvelope(envelope);
  const object = encodeSnapshotObject({
    envelope: bytes,
    signature: sign(null, signedMessage(LABEL.snapshot, bytes), keys.privateKey),
    mac: randomBytes(32),
    description,
  });
  return { id: sha256(bytes), object, envelope };
}

/** A body as it comes over the wire, in pieces. */
export async function* inPieces(bytes: Uint8Array, piece = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
}
