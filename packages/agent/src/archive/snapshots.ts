import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import type { ArchiveCrypto } from '@holdfast/archive/format/archive-crypto.ts';
import type { DeviceList } from '@holdfast/archive/format/device-list.ts';
import { equalBytes, toHex } from '@holdfast/archive/format/ids.ts';
import { decodeReceipt } from '@holdfast/archive/format/receipt.ts';
import type { Description } from '@holdfast/archive/format/snapshot.ts';
import { decodeStatement, LABEL } from '@holdfast/archive/format/statement.ts';
import { openSnapshot, type VerifiedSnapshot } from '@holdfast/archive/keys/snapshot.ts';
import { openStatement } from '@holdfast/archive/keys/statement.ts';

/**
 * The snapshots of an archive, each checked as format §6.1 says: a device on the signed list made it, and a holder of the keys.
 * What does not pass is left out and told, never restored from.
 */
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
};

export type Snapshots = {
  /** Oldest first. */
  readonly list: readonly Snapshot[];
  readonly refused: readonly ArchiveError[];
};

/** `receiptKey` null: no server is known that could vouch (a store that is read directly); its times are taken as they stand. */
export async function readSnapshots(
  endpoint: Pick<ArchiveEndpoint, 'snapshots'>,
  crypto: ArchiveCrypto,
  devices: DeviceList,
  receiptKey: Uint8Array | null,
  signal?: AbortSignal,
): Promise<Snapshots> {
  const list: Snapshot[] = [];
  const refused: ArchiveError[] = [];
  for (const { object, receipt } of await endpoint.snapshots(signal)) {
    try {
      const verified = await openSnapshot(object, crypto, devices);
      list.push(describe(verified, receipt && (await receivedAt(verified, receipt, receiptKey))));
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      refused.push(error);
    }
  }
  return { list: list.sort((a, b) => a.at - b.at || a.sequence - b.sequence), refused };
}

function describe({ id, envelope, description, device }: VerifiedSnapshot, receivedAt: number | null): Snapshot {
  return {
    id: toHex(id),
    device: { id: toHex(envelope.deviceId), name: device.name },
    set: { id: toHex(envelope.setId), name: description.setName },
    destination: toHex(envelope.destinationId),
    sequence: envelope.sequence,
    at: receivedAt ?? envelope.deviceTime,
    receivedAt,
    deviceTime: envelope.deviceTime,
    partial: envelope.partial,
    root: envelope.root,
    description,
  };
}

/** A receipt that is not the server's, or not this snapshot's, says nothing. */
async function receivedAt(
  { id }: VerifiedSnapshot,
  receipt: Uint8Array,
  receiptKey: Uint8Array | null,
): Promise<number | null> {
  try {
    const { body } =
      receiptKey === null ? decodeStatement(receipt) : await openStatement(LABEL.receipt, receipt, [receiptKey]);
    const { snapshotId, received } = decodeReceipt(body);
    return equalBytes(snapshotId, id) ? received : null;
  } catch (error) {
    if (error instanceof ArchiveError) return null;
    throw error;
  }
}
