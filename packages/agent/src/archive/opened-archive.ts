import { type ArchiveCrypto, createArchiveCrypto } from '@holdfast/archive/crypto-node/archive-crypto.ts';
import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import type { DeviceList } from '@holdfast/archive/format/device-list.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import type { Snapshots } from './snapshots.ts';
import { readSnapshots } from './snapshots.ts';

/** An archive with its keys, wherever it lies: behind the server (remote-archive.ts) or in a folder (store-archive.ts). */
export type OpenedArchive = {
  readonly endpoint: ArchiveEndpoint;
  readonly keys: ArchiveKeys;
  readonly crypto: ArchiveCrypto;
  readonly devices: DeviceList;
  /** This device, where it is one of the archive's; hex. */
  readonly own: string | null;
  snapshots(signal?: AbortSignal): Promise<Snapshots>;
  close(): void;
};

export type Parts = Pick<OpenedArchive, 'endpoint' | 'keys' | 'devices' | 'own' | 'close'> & {
  readonly receiptKey: Uint8Array | null;
};

export function openedArchive({ receiptKey, ...parts }: Parts): OpenedArchive {
  const crypto = createArchiveCrypto(parts.keys);
  const { endpoint, devices } = parts;
  return { ...parts, crypto, snapshots: (signal) => readSnapshots(endpoint, crypto, devices, receiptKey, signal) };
}
