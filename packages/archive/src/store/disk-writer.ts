// One temporary file of a disk store on its way to a name.

import { dirname, join } from 'node:path';
import type { BlobWriter, PutOptions, PutResult } from './blob-store.ts';
import { diskError, hasCode, isAbsent } from './disk-errors.ts';
import type { DurableFolders } from './disk-folders.ts';
import type { DiskFile, DiskFs } from './disk-fs.ts';
import { checkBlobName } from './names.ts';

/** What the store lends its writers. */
export type DiskWriterContext = {
  readonly root: string;
  readonly fs: DiskFs;
  readonly folders: DurableFolders;
  /** Runs tasks one after the other. */
  readonly inTurn: <T>(task: () => Promise<T>) => Promise<T>;
  /** Called once, when the temporary file is gone or has its name. */
  readonly ended: () => void;
};

/** What file systems without hard links (FAT, some network drives) answer. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

export class DiskWriter implements BlobWriter {
  private readonly path: string;
  private readonly file: DiskFile;
  private readonly context: DiskWriterContext;
  private readonly purpose: string;
  private isOpen = true;

  /** `purpose` stands for the name in errors while there is none. */
  constructor(path: string, file: DiskFile, purpose: string, context: DiskWriterContext) {
    this.path = path;
    this.file = file;
    this.purpose = purpose;
    this.context = context;
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      await this.file.write(chunk);
    } catch (error) {
      throw diskError(error, this.purpose);
    }
  }

  async commit(name: string, options: PutOptions = {}): Promise<PutResult> {
    try {
      checkBlobName(name);
      await this.file.sync();
      await this.close();
      const result = await this.publish(name, options.ifAbsent ?? false);
      this.context.ended();
      return result;
    } catch (error) {
      this.context.folders.forget();
      await this.discard();
      throw diskError(error, name);
    }
  }

  async abort(): Promise<void> {
    if (this.isOpen) await this.discard();
  }

  private async close(): Promise<void> {
    this.isOpen = false;
    await this.file.close();
  }

  /** What cannot be removed now is left to `sweepTemporary`: the error that led here is the one to report. */
  private async discard(): Promise<void> {
    if (this.isOpen) await this.close().catch(() => undefined);
    await this.context.fs.unlink(this.path).catch(() => undefined);
    this.context.ended();
  }

  private async publish(name: string, ifAbsent: boolean): Promise<PutResult> {
    const target = join(this.context.root, name);
    const folder = dirname(target);
    await this.context.folders.ensure(folder);
    const result = ifAbsent ? await this.linkTo(target) : await this.renameTo(target);
    // Also for `exists`: the writer that made the name may not have come to this line.
    await this.context.fs.syncDirectory(folder);
    return result;
  }

  private async renameTo(target: string): Promise<'stored'> {
    await this.context.fs.rename(this.path, target);
    return 'stored';
  }

  /** Unlike a rename, a link never replaces. */
  private async linkTo(target: string): Promise<PutResult> {
    let result: PutResult = 'stored';
    try {
      await this.context.fs.link(this.path, target);
    } catch (error) {
      if (hasCode(error, ...NO_LINKS)) return this.context.inTurn(() => this.renameIfAbsent(target));
      if (!hasCode(error, 'EEXIST')) throw error;
      result = 'exists';
    }
    await this.context.fs.unlink(this.path);
    return result;
  }

  /** Safe in turn, as long as one process writes to the store. */
  private async renameIfAbsent(target: string): Promise<PutResult> {
    try {
      await this.context.fs.stat(target);
    } catch (error) {
      if (isAbsent(error)) return this.renameTo(target);
      throw error;
    }
    await this.context.fs.unlink(this.path);
    return 'exists';
  }
}
