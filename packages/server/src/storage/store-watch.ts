// Does a store point take what is written to it? Whoever writes finds out; this remembers it for whoever asks, until something
// as large was written, by a device or by `probe`.

import { ArchiveError } from '@holdfast/archive/errors.ts';
import type { BlobStore, BlobWriter } from '@holdfast/archive/store/blob-store.ts';
import type { Warning } from '@holdfast/protocol/warnings.ts';
import { type Index, isIndexFull, type On } from './index/open-index.ts';
import { readPoint, writePoint } from './index/point.ts';
import type { StorePoint } from './store-point.ts';

type WriteTrouble = {
  readonly code: Extract<Warning, 'storage_full' | 'storage_unwritable'>;
  /** Bytes of what did not fit. Less may fit all the same, so less proves nothing. */
  readonly size: number;
};

export class StoreWatch {
  private blobTrouble: WriteTrouble | null = null;
  private isIndexFull = false;

  get warnings(): Warning[] {
    return [...(this.blobTrouble === null ? [] : [this.blobTrouble.code]), ...(this.isIndexFull ? FULL : [])];
  }

  /** The same store, watched. */
  blobs(inner: BlobStore): BlobStore {
    return {
      put: (name, bytes, options) => {
        const parts = bytes instanceof Uint8Array ? [bytes] : bytes;
        const size = parts.reduce((sum, part) => sum + part.length, 0);
        return this.written(size, () => inner.put(name, bytes, options));
      },
      get: (name, range, signal) => inner.get(name, range, signal),
      stat: (name) => inner.stat(name),
      list: (prefix, options) => inner.list(prefix, options),
      delete: (name) => inner.delete(name),
      writer: () => this.writer(inner),
    };
  }

  /** The same index, watched. */
  index(inner: Index): Index {
    return {
      ...inner,
      write: async (work) => {
        try {
          const result = await inner.write(work);
          this.isIndexFull = false;
          return result;
        } catch (error) {
          if (isIndexFull(error)) this.isIndexFull = true;
          throw error;
        }
      },
    };
  }

  /**
   * Tries whether what did not fit would fit now; nothing is kept of it. Without trouble it tries whether anything can be
   * written. `point` is the one whose store and index are watched here.
   */
  async probe({ blobs, index }: Pick<StorePoint, 'blobs' | 'index'>): Promise<void> {
    const size = this.blobTrouble?.size ?? 0;
    await this.written(size, () => tryToWrite(blobs, size)).catch(ignoreNoted);
    if (this.isIndexFull) await index.write(writeAgain).catch(ignoreNoted);
  }

  private async writer(inner: BlobStore): Promise<BlobWriter> {
    const writer = await this.noted(0, () => inner.writer());
    let size = 0;
    return {
      write: (chunk) => {
        size += chunk.length;
        return this.noted(size, () => writer.write(chunk));
      },
      commit: (name, options) => this.written(size, () => writer.commit(name, options)),
      abort: () => writer.abort(),
    };
  }

  private async written<T>(size: number, work: () => Promise<T>): Promise<T> {
    const result = await this.noted(size, work);
    if (this.blobTrouble !== null && size >= this.blobTrouble.size) this.blobTrouble = null;
    return result;
  }

  private async noted<T>(size: number, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const code = error instanceof ArchiveError ? TROUBLES[error.code] : undefined;
      if (code === 'storage_full') this.blobTrouble = { code, size: Math.max(size, this.blobTrouble?.size ?? 0) };
      else if (code !== undefined) this.blobTrouble = { code, size: 0 };
      throw error;
    }
  }
}

const FULL: readonly Warning[] = ['storage_full'];

const TROUBLES: Partial<Record<string, WriteTrouble['code']>> = {
  store_full: 'storage_full',
  store_unavailable: 'storage_unwritable',
  store_denied: 'storage_unwritable',
};

/** A probe that fails has told what it was for. */
const ignoreNoted = (error: unknown): void => {
  const isNoted = isIndexFull(error) || (error instanceof ArchiveError && TROUBLES[error.code] !== undefined);
  if (!isNoted) throw error;
};

/** A transaction that writes and changes nothing. */
async function writeAgain(on: On): Promise<void> {
  const value = await readPoint(on, 'incarnation');
  if (value !== null) await writePoint(on, 'incarnation', value);
}

const SLICE = new Uint8Array(1024 * 1024);

async function tryToWrite(blobs: BlobStore, size: number): Promise<void> {
  const writer = await blobs.writer();
  try {
    for (let left = size; left > 0; left -= SLICE.length)
      await writer.write(SLICE.subarray(0, Math.min(left, SLICE.length)));
  } finally {
    await writer.abort();
  }
}
