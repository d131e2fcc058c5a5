// Opens store points: the index of each, and a watch over what is written.

import { availableParallelism } from 'node:os';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import type { DatabaseConfig } from '../config.ts';
import type { Archive } from './index/archives.ts';
import { openIndex } from './index/open-index.ts';
import { checkThreads } from './maintenance/check-threads.ts';
import type { Ports, StorePoint } from './store-point.ts';
import { StoreWatch } from './store-watch.ts';

export type PointConfig = { readonly name: string; readonly index: DatabaseConfig; readonly blobs: BlobStore };

export type OpenedPoint = { readonly point: StorePoint; readonly watch: StoreWatch };

type LossFound = (point: StorePoint, archive: Archive) => void;

export async function openPoints(
  { points, ...ports }: Ports & { readonly points: readonly PointConfig[] },
  lossFound: LossFound,
): Promise<OpenedPoint[]> {
  const opened: OpenedPoint[] = [];
  try {
    for (const config of points) opened.push(await openPoint(ports, config, lossFound));
  } catch (error) {
    for (const { point } of opened) await point.index.close();
    throw error;
  }
  return opened;
}

export async function openPoint(
  { now, random, log, metrics, receipts }: Ports,
  { name, index, blobs }: PointConfig,
  lossFound: LossFound,
  hold: 'shared' | 'alone' = 'shared',
): Promise<OpenedPoint> {
  const onIdleError = (err: Error) => log.warn({ err, point: name }, 'a connection to the index broke');
  const watch = new StoreWatch();
  const point: StorePoint = {
    now,
    random,
    log,
    metrics,
    receipts,
    name,
    blobs: watch.blobs(blobs),
    index: watch.index(await openIndex(index, { hold, onIdleError })),
    checkThreads: checkThreads(availableParallelism(), process.platform),
    lossFound: (archive) => lossFound(point, archive),
  };
  return { point, watch };
}
