// A store in memory: for tests, and the plainest example of what the port asks for.

import { blobMissing, checkRange } from './blob-errors.ts';
import type { BlobInfo, BlobRange, BlobStore, BlobWriter, ListOptions, PutOptions, PutResult } from './blob-store.ts';
import { checkBlobName, checkBlobPrefix } from './names.ts';

type Blob = { readonly bytes: Uint8Array; readonly modified: number };

export class MemoryStore implements BlobStore {
  private readonly blobs = new Map<string, Blob>();
  private readonly now: () => number;

  constructor(options: { readonly now?: () => number } = {}) {
    this.now = options.now ?? Date.now;
  }

  async put(name: string, bytes: Uint8Array | readonly Uint8Array[], options: PutOptions = {}): Promise<PutResult> {
    checkBlobName(name);
    if (options.ifAbsent && this.blobs.has(name)) return 'exists';
    this.blobs.set(name, { bytes: Uint8Array.from(joined(bytes)), modified: this.now() });
    return 'stored';
  }

  async get(name: string, range?: BlobRange, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    checkBlobName(name);
    const blob = this.blobs.get(name);
    if (blob === undefined) throw blobMissing(name);
    const { offset, length } = range ?? { offset: 0, length: blob.bytes.length };
    checkRange(name, blob.bytes.length, { offset, length });
    return blob.bytes.slice(offset, offset + length);
  }

  async stat(name: string): Promise<{ size: number; modified: number } | null> {
    checkBlobName(name);
    const blob = this.blobs.get(name);
    return blob === undefined ? null : { size: blob.bytes.length, modified: blob.modified };
  }

  async *list(prefix: string, { after, signal }: ListOptions = {}): AsyncGenerator<BlobInfo> {
    checkBlobPrefix(prefix);
    const names = [...this.blobs.keys()].filter(
      (name) => name.startsWith(prefix) && (after === undefined || name > after),
    );
    for (const name of names.sort()) {
      signal?.throwIfAborted();
      const blob = this.blobs.get(name);
      if (blob !== undefined) yield { name, size: blob.bytes.length, modified: blob.modified };
    }
  }

  async delete(name: string): Promise<void> {
    checkBlobName(name);
    this.blobs.delete(name);
  }

  async writer(): Promise<BlobWriter> {
    const chunks: Uint8Array[] = [];
    return {
      write: async (chunk) => void chunks.push(Uint8Array.from(chunk)),
      commit: (name, options) => this.put(name, chunks, options),
      abort: async () => void chunks.splice(0),
    };
  }
}

function joined(bytes: Uint8Array | readonly Uint8Array[]): Uint8Array {
  return bytes instanceof Uint8Array ? bytes : Buffer.concat(bytes);
}
