import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Temporary files end so; `home.ts` removes what a crash left. */
const TEMPORARY = '.tmp';

const NAMED = /\.(\d{1,10})-\d+\.tmp$/;
let counter = 0;

/** Left by a process that died in `writeAtomic`: what a living one is writing is not. */
export function isLeftOver(name: string): boolean {
  const pid = NAMED.exec(name)?.[1];
  return pid !== undefined && Number(pid) !== process.pid && !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * After every crash the file holds either all of the old bytes or all of the new ones (must: it may be the only
 * copy of a key on this device). Durable when it returns.
 */
export function writeAtomic(path: string, bytes: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.${process.pid}-${counter++}${TEMPORARY}`;
  try {
    writeSynced(temporary, typeof bytes === 'string' ? Buffer.from(bytes) : bytes, mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(path));
}

function writeSynced(path: string, bytes: Uint8Array, mode: number): void {
  const fd = openSync(path, 'w', mode);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes a rename survive a power cut. Windows has no such call for folders and does not need it. */
export function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
