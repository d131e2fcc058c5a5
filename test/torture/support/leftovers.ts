/** What a process that died may leave behind only until the next one has run. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Names of unfinished files: of the agent's state, of caches, of restores. */
const UNFINISHED = /\.tmp$|\.new$|^\.holdfast-restore\./;

function unfinishedBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(({ name }) => UNFINISHED.test(name))
    .map(({ parentPath, name }) => join(parentPath, name));
}

function require(paths: readonly string[], after: string): void {
  if (paths.length > 0) throw new Error(`left behind after ${after}: ${paths.join(', ')}`);
}

/** After a run of the device that ended well. */
export function requireTidyHome(home: string): void {
  require(unfinishedBelow(home), 'a backup');
  require(readdirSync(join(home, 'tmp')), 'a backup');
}

/** After a restore into this folder that ended well. */
export const requireWholeFiles = (folder: string): void => require(unfinishedBelow(folder), 'a restore');

/** After a start of the server, while nobody sends anything. */
export function requireCleanStore(storeDir: string): void {
  const tmp = join(storeDir, 'tmp');
  if (existsSync(tmp)) require(readdirSync(tmp).map((name) => join(tmp, name)), 'a start of the server');
}
