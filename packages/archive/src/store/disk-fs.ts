// The few calls of a file system that the disk store is made of. They are a parameter, so that a test can put a disk that forgets what was
// not synced in their place (testing/crash-fs.ts).

import { link, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';

export interface DiskFs {
  /** A new file (0600) for writing; rejects with EEXIST when there is one. */
  create(path: string): Promise<DiskFile>;
  open(path: string): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file; rejects with EEXIST when `to` is there. */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** A new folder (0700). */
  mkdir(path: string): Promise<void>;
  stat(path: string): Promise<DiskStat>;
  readdir(path: string): Promise<readonly DiskEntry[]>;
  /** Makes the names in a folder durable. */
  syncDirectory(path: string): Promise<void>;
}

export interface DiskFile {
  /** Fills `target` from `position` on, as far as the file goes; returns how many bytes came. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Appends all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
  size(): Promise<number>;
  /** Makes the content durable, not the name. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export type DiskStat = {
  readonly kind: 'file' | 'directory' | 'other';
  readonly size: number;
  readonly modified: number;
};
export type DiskEntry = { readonly name: string; readonly kind: 'file' | 'directory' | 'other' };

type Kinded = { isFile(): boolean; isDirectory(): boolean };
const kindOf = (entry: Kinded): DiskEntry['kind'] =>
  entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other';

/** The file system of this machine. */
export const nodeFs: DiskFs = {
  create: async (path) => handle(await open(path, 'wx', 0o600)),
  open: async (path) => handle(await open(path, 'r')),
  rename,
  link,
  unlink,
  mkdir: async (path) => void (await mkdir(path, 0o700)),
  stat: async (path) => {
    const found = await stat(path);
    return { kind: kindOf(found), size: found.size, modified: Math.floor(found.mtimeMs) };
  },
  readdir: async (path) =>
    (await readdir(path, { withFileTypes: true })).map((entry) => ({ name: entry.name, kind: kindOf(entry) })),
  syncDirectory,
};

function handle(file: Awaited<ReturnType<typeof open>>): DiskFile {
  return {
    read: async (target, position) => {
      let done = 0;
      while (done < target.length) {
        const { bytesRead } = await file.read(target, done, target.length - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    write: async (bytes) => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done);
        done += bytesWritten;
      }
    },
    size: async () => (await file.stat()).size,
    sync: () => file.sync(),
    close: () => file.close(),
  };
}

async function syncDirectory(path: string): Promise<void> {
  // Windows opens no folder as a file; NTFS writes names to its journal by itself.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
