// A store in a folder of a disk: the default of a server, and what `restore --store DIR` reads.
//
// Nouns: the root (the folder of the store), the temporary folder `tmp/` in it, the name (a path below the root).
//
//   put:  tmp/<unique> -> write -> sync -> folders of the name, each synced into its parent -> rename -> sync the folder
//
// Every step is needed: without the first sync a power cut leaves an empty file under the right name, without the last
// no file at all, although the caller was told that it is stored (disk.crash.test.ts takes each away and loses data).
//
// A drive that is not mounted looks like an empty folder. So the root is recognized by its `tmp/` or `archives/`, and
// where both are missing nothing is reported as absent: the store is unavailable.

import { randomUUID } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import { ArchiveError } from '../errors.ts';
import { blobMissing, checkRange } from './blob-errors.ts';
import type {
  BlobInfo,
  BlobRange,
  BlobStat,
  BlobStore,
  BlobWriter,
  ListOptions,
  PutOptions,
  PutResult,
} from './blob-store.ts';
import { diskError, hasCode, isAbsent } from './disk-errors.ts';
import { DurableFolders, makeDurableFolder } from './disk-folders.ts';
import { type DiskFile, type DiskFs, type DiskStat, nodeFs } from './disk-fs.ts';
import { listDirectory } from './disk-list.ts';
import { DiskWriter } from './disk-writer.ts';
import { checkBlobName, checkBlobPrefix, TEMPORARY } from './names.ts';

export type DiskStoreOptions = {
  /** Make the root and its `tmp/` where they are missing, as a writer needs them. Without it a missing root is `store_missing`. */
  readonly create?: boolean;
  readonly fs?: DiskFs;
  readonly now?: () => number;
  /** Names for temporary files that no other process chooses. */
  readonly unique?: () => string;
};

/** Rejects with `store_missing` when `path` is no store and is not to become one. */
export async function openDiskStore(path: string, options: DiskStoreOptions = {}): Promise<DiskStore> {
  const { create = false, fs = nodeFs, now = Date.now, unique = randomUUID } = options;
  const root = resolve(path);
  const store = new DiskStore(root, fs, now(), unique);
  try {
    if (create) await makeDurableFolder(fs, join(root, TEMPORARY));
    if (!(await store.isThere())) throw new ArchiveError('store_missing', { name: root, detail: root });
  } catch (error) {
    throw diskError(error, root);
  }
  return store;
}

export class DiskStore implements BlobStore {
  readonly root: string;
  private readonly fs: DiskFs;
  private readonly openedAt: number;
  private readonly unique: () => string;
  private readonly folders: DurableFolders;
  private readonly unfinished = new Set<string>();
  private turn: Promise<unknown> = Promise.resolve();

  /** Use `openDiskStore`. */
  constructor(root: string, fs: DiskFs, openedAt: number, unique: () => string) {
    this.root = root;
    this.fs = fs;
    this.openedAt = openedAt;
    this.unique = unique;
    this.folders = new DurableFolders(fs, root);
  }

  async put(name: string, bytes: Uint8Array | readonly Uint8Array[], options?: PutOptions): Promise<PutResult> {
    checkBlobName(name);
    const writer = await this.writer(name);
    try {
      for (const part of bytes instanceof Uint8Array ? [bytes] : bytes) await writer.write(part);
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return writer.commit(name, options);
  }

  async get(name: string, range?: BlobRange, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    checkBlobName(name);
    try {
      return await this.withFile(name, (file) => readRange(file, name, range, signal));
    } catch (error) {
      // A folder opens on some systems and fails at the first read.
      if (!isAbsent(error) && !hasCode(error, 'EISDIR')) throw diskError(error, name);
      await this.requireRoot(name, error);
      throw blobMissing(name, error);
    }
  }

  async stat(name: string): Promise<BlobStat | null> {
    checkBlobName(name);
    try {
      const { kind, size, modified } = await this.fs.stat(join(this.root, name));
      return kind === 'file' ? { size, modified } : null;
    } catch (error) {
      if (!isAbsent(error)) throw diskError(error, name);
      await this.requireRoot(name, error);
      return null;
    }
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<BlobInfo> {
    checkBlobPrefix(prefix);
    try {
      await this.requireRoot(prefix);
      yield* listDirectory(this.fs, this.root, prefix, options);
    } catch (error) {
      throw diskError(error, prefix);
    }
  }

  async delete(name: string): Promise<void> {
    checkBlobName(name);
    const path = join(this.root, name);
    try {
      await orAbsent(this.fs.unlink(path));
      // Also when it was gone: whoever removed it may not have made that durable yet.
      await orAbsent(this.fs.syncDirectory(dirname(path)));
      await this.requireRoot(name);
    } catch (error) {
      throw diskError(error, name);
    }
  }

  /** `purpose` stands for the name in errors while there is none. */
  async writer(purpose: string = TEMPORARY): Promise<BlobWriter> {
    const { root, fs, folders } = this;
    const path = join(root, TEMPORARY, this.unique());
    this.unfinished.add(path);
    const ended = (): void => void this.unfinished.delete(path);
    try {
      const file = await fs.create(path);
      return new DiskWriter(path, file, purpose, { root, fs, folders, inTurn: (task) => this.inTurn(task), ended });
    } catch (error) {
      ended();
      throw diskError(error, purpose);
    }
  }

  /**
   * Removes what writers that no longer run left in `tmp/`: everything older than the opening of this store; returns how many.
   * Only the owner of the store (its server) calls it. A write of another process that it hits fails and is repeated.
   */
  async sweepTemporary(): Promise<number> {
    const folder = join(this.root, TEMPORARY);
    let removed = 0;
    try {
      for (const { name } of await this.fs.readdir(folder)) {
        const path = join(folder, name);
        if (this.unfinished.has(path) || !this.isLeftover(await orAbsent(this.fs.stat(path)))) continue;
        await orAbsent(this.fs.unlink(path));
        removed++;
      }
    } catch (error) {
      throw diskError(error, TEMPORARY);
    }
    return removed;
  }

  /** Is the root a store? */
  async isThere(): Promise<boolean> {
    for (const folder of [TEMPORARY, 'archives']) {
      const found = await orAbsent(this.fs.stat(join(this.root, folder)));
      if (found?.kind === 'directory') return true;
    }
    return false;
  }

  private isLeftover(found: DiskStat | undefined): boolean {
    return found?.kind === 'file' && found.modified < this.openedAt;
  }

  private async requireRoot(name: string, cause?: unknown): Promise<void> {
    if (!(await this.isThere())) throw new ArchiveError('store_unavailable', { name, detail: this.root }, { cause });
  }

  private async withFile<T>(name: string, use: (file: DiskFile) => Promise<T>): Promise<T> {
    const file = await this.fs.open(join(this.root, name));
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  }

  private inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.turn.then(task);
    this.turn = result.catch(() => undefined); // whoever gave the task hears of it; the next one has its turn all the same
    return result;
  }
}

async function readRange(
  file: DiskFile,
  name: string,
  range: BlobRange | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const size = await file.size();
  const wanted = range ?? { offset: 0, length: size };
  checkRange(name, size, wanted);
  signal?.throwIfAborted();
  // Zeros would be written first, which takes as long as reading from the page cache; too short a read is refused below
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(wanted.length).buffer);
  const read = await file.read(bytes, wanted.offset);
  checkRange(name, wanted.offset + read, wanted);
  return bytes;
}

/** `undefined` where the call finds no such file or folder. */
async function orAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
