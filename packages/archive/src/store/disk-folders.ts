// Folders that survive a power cut: a folder is durable when its parent was synced after it was made.

import { dirname } from 'node:path';
import { hasCode } from './disk-errors.ts';
import type { DiskFs } from './disk-fs.ts';

export class DurableFolders {
  private readonly fs: Pick<DiskFs, 'mkdir' | 'syncDirectory'>;
  private readonly root: string;
  /** Folders known to be durable, or on their way to it. */
  private readonly known = new Map<string, Promise<void>>();

  constructor(fs: Pick<DiskFs, 'mkdir' | 'syncDirectory'>, root: string) {
    this.fs = fs;
    this.root = root;
  }

  /** Makes a folder below the root, never the root itself: a drive that went away must not be replaced by an empty folder. */
  ensure(folder: string): Promise<void> {
    if (folder === this.root) return Promise.resolve();
    const known = this.known.get(folder);
    if (known !== undefined) return known;
    const made = this.make(folder);
    this.known.set(folder, made);
    return made;
  }

  /** After any failure nothing is known: somebody may have taken folders, or the drive, away. */
  forget(): void {
    this.known.clear();
  }

  private async make(folder: string): Promise<void> {
    const parent = dirname(folder);
    await this.ensure(parent);
    await mkdirIfAbsent(this.fs, folder);
    // Also when it was there: whoever made it may have died before this.
    await this.fs.syncDirectory(parent);
  }
}

/** Makes a folder with all that leads to it. */
export async function makeDurableFolder(fs: Pick<DiskFs, 'mkdir' | 'syncDirectory'>, folder: string): Promise<void> {
  const parent = dirname(folder);
  try {
    await mkdirIfAbsent(fs, folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') || parent === folder) throw error;
    await makeDurableFolder(fs, parent);
    await mkdirIfAbsent(fs, folder);
  }
  await fs.syncDirectory(parent);
}

async function mkdirIfAbsent(fs: Pick<DiskFs, 'mkdir'>, folder: string): Promise<void> {
  try {
    await fs.mkdir(folder);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}
