// A store point as the storage works with it: where the bytes lie, the index over them, and what it needs from outside.

import { toHex } from '@holdfast/archive/format/ids.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Logger } from 'pino';
import { type Archive, ensureArchive, findArchive } from './index/archives.ts';
import type { Index } from './index/open-index.ts';
import type { Metrics } from './metrics.ts';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** Signs receipts and tombstones (format §6.2, §6.3). */
export type ReceiptSigner = {
  /** 16 bytes */
  readonly serverId: Uint8Array;
  /** Ed25519, 32 bytes */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
};

export type Ports = {
  /** ms */
  readonly now: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly receipts: ReceiptSigner;
};

export type StorePoint = Ports & {
  readonly name: string;
  readonly blobs: BlobStore;
  readonly index: Index;
  /** How many threads may check packs beside this one; with 0 this one does, one after the other. */
  readonly checkThreads: number;
  /** Something was lost: whoever maintains the archive looks for the trees above it. */
  readonly lossFound: (archive: Archive) => void;
};

export const randomHex = ({ random }: Pick<Ports, 'random'>, bytes: number): string => toHex(random(bytes));

/** Which store point has which archive; an archive lies in one. New ones go to the first. */
export class StorePoints {
  private readonly points: readonly [StorePoint, ...StorePoint[]];
  private readonly known = new Map<string, { readonly point: StorePoint; readonly archive: Archive }>();

  constructor(points: readonly [StorePoint, ...StorePoint[]]) {
    this.points = points;
  }

  get all(): readonly StorePoint[] {
    return this.points;
  }

  /** Rejects with `archive_unknown`. The counters of the row are those of an earlier time. */
  async find(archiveHex: string): Promise<{ point: StorePoint; archive: Archive }> {
    const known = this.known.get(archiveHex);
    if (known !== undefined) return known;
    const id = Uint8Array.fromHex(archiveHex);
    for (const point of this.points) {
      const archive = await point.index.read((on) => findArchive(on, id));
      if (archive !== null) return this.remember(archiveHex, { point, archive });
    }
    throw new ProtocolError('archive_unknown');
  }

  /** Where the archive lies, or will. */
  async placeOf(archiveHex: string): Promise<StorePoint> {
    return (await this.findIfThere(archiveHex))?.point ?? this.points[0];
  }

  async findOrMake(archiveHex: string): Promise<{ point: StorePoint; archive: Archive }> {
    const found = await this.findIfThere(archiveHex);
    if (found !== null) return found;
    const [point] = this.points;
    const archive = await point.index.write((on) => ensureArchive(on, Uint8Array.fromHex(archiveHex)));
    return this.remember(archiveHex, { point, archive });
  }

  private async findIfThere(archiveHex: string): Promise<{ point: StorePoint; archive: Archive } | null> {
    try {
      return await this.find(archiveHex);
    } catch (error) {
      if (error instanceof ProtocolError && error.code === 'archive_unknown') return null;
      throw error;
    }
  }

  private remember<F extends { point: StorePoint; archive: Archive }>(archiveHex: string, found: F): F {
    this.known.set(archiveHex, found);
    return found;
  }
}
