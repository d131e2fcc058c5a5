import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Files that must be whole or absent after a crash. */

/** Readable by the server's own user alone. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: PRIVATE_FOLDER });
}

export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders; NTFS journals renames by itself
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A name next to `path` for what is not whole yet. */
const temporaryName = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);

const UNFINISHED = /^\..+\.[0-9a-f]{12}\.tmp$/;

/**
 * Removes what processes that died were writing in these folders; returns how many. Only the server does it, at its start:
 * a command that runs beside it at that moment fails and is repeated.
 */
export async function sweepUnfinished(folders: readonly string[]): Promise<number> {
  let removed = 0;
  for (const folder of folders) {
    for (const name of await readdir(folder).catch(noneIfAbsent)) {
      if (!UNFINISHED.test(name)) continue;
      await rm(join(folder, name), { recursive: true, force: true });
      removed += 1;
    }
  }
  return removed;
}

function noneIfAbsent(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

/** Writes under a temporary name, syncs, renames: `path` shows the old content or all of the new one. */
export async function writeDurably(
  path: string,
  content: string | Uint8Array | AsyncIterable<Uint8Array>,
  mode: number = PRIVATE_FILE,
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}
