import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Temporary files end so; `home.ts` removes leftovers of a crash. */
export const TEMPORARY = '.tmp';

let counter = 0;

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
