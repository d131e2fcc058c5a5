import { reasonOf } from '@holdfast/archive/errors.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import type { Description } from '@holdfast/archive/format/snapshot.ts';
import type {
  RefusedSnapshot as RefusedObject,
  SnapshotInfo,
  SnapshotProblem,
} from '@holdfast/archive/restore/archive-reader.ts';
import { type DamagedFile, fileOf } from './damaged-file.ts';

/** A checked snapshot, as commands choose it and show it. */
export type Snapshot = {
  readonly id: string;
  readonly device: { readonly id: string; readonly name: string };
  readonly set: { readonly id: string; readonly name: string };
  readonly destination: string;
  readonly sequence: number;
  /** By the server's clock where it vouches for it, else by the device's. */
  readonly at: number;
  readonly receivedAt: number | null;
  readonly deviceTime: number;
  /** A long run's interim result: not everything is in it yet. */
  readonly partial: boolean;
  readonly root: Uint8Array;
  readonly description: Description;
  readonly problems: readonly SnapshotProblem[];
};

export function snapshotOf({ id, envelope, description, device, at, receivedAt, problems }: SnapshotInfo): Snapshot {
  return {
    id: toHex(id),
    device: { id: toHex(envelope.deviceId), name: device.name },
    set: { id: toHex(envelope.setId), name: description.setName },
    destination: toHex(envelope.destinationId),
    sequence: envelope.sequence,
    at,
    receivedAt,
    deviceTime: envelope.deviceTime,
    partial: envelope.partial,
    root: envelope.root,
    description,
    problems,
  };
}

/** One that did not pass its checks, and is never restored from; what is not known of it is null. */
export type RefusedSnapshot = DamagedFile & {
  readonly id: string;
  readonly device: string | null;
  readonly set: string | null;
  readonly sequence: number | null;
  /** When it was received, or else made. */
  readonly at: number | null;
  /** A later one of its chain is whole. */
  readonly followed: boolean;
};

export function refusedOf(
  { id, error, envelope, receivedAt, followed }: RefusedObject,
  archiveId: Uint8Array,
): RefusedSnapshot {
  return {
    id: toHex(id),
    file: fileOf(archiveId, 'snapshots', toHex(id)),
    code: error.code,
    reason: reasonOf(error),
    device: envelope && toHex(envelope.deviceId),
    set: envelope && toHex(envelope.setId),
    sequence: envelope?.sequence ?? null,
    at: receivedAt ?? envelope?.deviceTime ?? null,
    followed,
  };
}

/** In words, for a person who looks at the list. */
export const PROBLEM_WORDS: Readonly<Record<SnapshotProblem, string>> = {
  receipt_missing: 'no server vouches for its time',
  receipt_invalid: "its receipt is not the server's",
  clock_off: "the device's clock was wrong",
  clock_backwards: "the device's clock went back",
  device_removed: 'made after its device was removed',
  parent_missing: 'the one before it is missing',
  fork: 'another one follows the same: a cloned machine or an old image',
};
