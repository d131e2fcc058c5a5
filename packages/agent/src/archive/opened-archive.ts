import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { reasonOf } from '@holdfast/archive/errors.ts';
import type { DeviceList } from '@holdfast/archive/format/device-list.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import type { Identity } from '@holdfast/archive/keys/identity.ts';
import { type ArchiveReader, openArchive } from '@holdfast/archive/restore/archive-reader.ts';
import { type DamagedFile, fileOf } from './damaged-file.ts';
import { type RefusedSnapshot, refusedOf, type Snapshot, snapshotOf } from './snapshots.ts';

/** An archive with its keys, wherever it lies: behind the server (remote-archive.ts) or in a folder (store-archive.ts). */
export type OpenedArchive = {
  readonly endpoint: ArchiveEndpoint;
  readonly keys: ArchiveKeys;
  readonly devices: DeviceList;
  /** This device, where it is one of the archive's; hex. */
  readonly own: string | null;
  /** The server's, where one stands behind it: signs receipts and tombstones. */
  readonly receiptKey: Uint8Array | null;
  /** Found while it was opened; what does not need these files can be read. */
  readonly damaged: readonly DamagedFile[];
  snapshots(signal?: AbortSignal): Promise<Snapshots>;
  close(): void;
};

export type Snapshots = {
  /** Oldest first. */
  readonly list: readonly Snapshot[];
  /** Did not pass the checks of format §6.1; never restored from. */
  readonly refused: readonly RefusedSnapshot[];
};

export type Parts = Pick<OpenedArchive, 'endpoint' | 'keys' | 'own' | 'receiptKey' | 'damaged' | 'close'> & {
  readonly identity: Pick<Identity, 'signing'>;
  /** The highest counter of a device list that this device has seen. */
  readonly seenCounter: number;
  readonly signal?: AbortSignal;
};

export async function openParts({ identity, seenCounter, signal, ...parts }: Parts): Promise<OpenedArchive> {
  const { endpoint, keys, receiptKey } = parts;
  const trust = {
    identities: [identity.signing.publicKey],
    seenCounter,
    ...(receiptKey !== null && { servers: [receiptKey] }),
  };
  const reader = await openArchive(endpoint, keys, trust, signal);
  return {
    ...parts,
    devices: reader.devices,
    damaged: [...parts.damaged, ...damagedLists(reader, endpoint.archiveId)],
    snapshots: async (stop) => {
      const { snapshots, refused } = await reader.listSnapshots(stop);
      return {
        list: snapshots.map(snapshotOf),
        refused: refused.map((each) => refusedOf(each, endpoint.archiveId)),
      };
    },
  };
}

/** Lists that would be newer than the one in force. An earlier identity's own are whole, and older ones do not count any more. */
const damagedLists = ({ devices, refusedLists }: ArchiveReader, archiveId: Uint8Array): DamagedFile[] =>
  refusedLists
    .filter(({ name, error }) => error.code !== 'signer_untrusted' && Number(name) > devices.counter)
    .map(({ name, error }) => ({
      file: fileOf(archiveId, 'devices', name),
      code: error.code,
      reason: reasonOf(error),
    }));
