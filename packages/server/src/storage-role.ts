import { randomBytes } from 'node:crypto';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { openDiskStore } from '@holdfast/archive/store/disk.ts';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { Keystore } from './authority/keyring/keystore.ts';
import { signWith } from './authority/keyring/signing-key.ts';
import type { ServerConfig } from './config.ts';
import { COUNTERS, type CounterName, type Metrics, NO_METRICS } from './storage/metrics.ts';
import type { PointConfig } from './storage/open-point.ts';
import type { StorageOptions } from './storage/storage.ts';
import type { Ports } from './storage/store-point.ts';

/** What the storage role of this machine is made of: the default store point, the receipt key, counters. */
export type StorageRole = {
  readonly store: BlobStore;
  readonly point: PointConfig;
  readonly ports: Ports;
  /** Removes what a server that died was writing. Only for the server: commands run beside it. */
  sweep(): Promise<number>;
};

export type StorageRolePorts = { readonly now: () => number; readonly log: Logger; readonly registry?: Registry };

export async function openStorageRole(
  config: ServerConfig,
  keystore: Keystore,
  { now, log, registry }: StorageRolePorts,
): Promise<StorageRole> {
  const store = await openDiskStore(config.storeDir, { create: true, now });
  return {
    store,
    sweep: () => store.sweepTemporary(),
    point: { name: 'default', index: config.indexDatabase, blobs: store },
    ports: {
      now,
      random: (bytes) => randomBytes(bytes),
      log,
      metrics: registry === undefined ? NO_METRICS : countersIn(registry),
      receipts: {
        serverId: Uint8Array.fromHex(keystore.serverId),
        publicKey: Uint8Array.fromHex(keystore.receipt.publicKey),
        sign: (message) => signWith(keystore.receipt, message),
      },
    },
  };
}

export const storageOptions = ({ point, ports }: StorageRole): StorageOptions => ({ ...ports, points: [point] });

function countersIn(registry: Registry): Metrics {
  const counters = Object.fromEntries(
    Object.entries(COUNTERS).map(([name, help]) => [
      name,
      new Counter({ name: `holdfast_storage_${name}_total`, help, registers: [registry] }),
    ]),
  ) as Record<CounterName, Counter>;
  return { add: (counter, amount = 1) => counters[counter].inc(amount) };
}
