/** A file system of its own with little room; only root can make one, and only Linux has this one. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const CAN_MOUNT = process.platform === 'linux' && process.getuid?.() === 0;

export type SmallDisk = {
  /** Makes it larger. */
  grow(bytes: number): void;
  /** Takes it away again; what is on it stays in the folder. */
  end(): void;
};

const run = (...args: readonly [string, ...string[]]): void => {
  const [command, ...rest] = args;
  execFileSync(command, rest, { stdio: 'pipe' });
};

/** What is in `folder` lies on a disk that has room for it and `free` bytes more. */
export function onSmallDisk(folder: string, free: number): SmallDisk {
  const aside = `${folder} aside`;
  renameSync(folder, aside);
  mkdirSync(folder, { mode: 0o700 });
  run('mount', '-t', 'tmpfs', '-o', `mode=700,size=${usedBelow(aside) + free}`, 'tmpfs', folder);
  cpSync(aside, folder, { recursive: true, preserveTimestamps: true });
  rmSync(aside, { recursive: true });
  return { grow: (bytes) => run('mount', '-o', `remount,size=${usedBelow(folder) + bytes}`, folder), end };

  function end(): void {
    cpSync(folder, aside, { recursive: true, preserveTimestamps: true });
    run('umount', folder);
    rmSync(folder, { recursive: true });
    renameSync(aside, folder);
  }
}

const PAGE = 4096;

function usedBelow(folder: string): number {
  if (!existsSync(folder)) return 0;
  const pages = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => Math.ceil(statSync(join(parentPath, name)).size / PAGE));
  return pages.reduce((all, one) => all + one, 0) * PAGE;
}
