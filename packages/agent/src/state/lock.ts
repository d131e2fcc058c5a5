import { DatabaseSync } from 'node:sqlite';

/**
 * A lock between processes that the system itself releases when its holder dies, however it dies: an exclusive
 * transaction on an empty SQLite file, which is a file lock on every platform. No process id to go stale, nothing to clean up.
 */
export type Lock = { release(): void };

/** SQLITE_BUSY: somebody else holds it. */
const BUSY = 5;

/** `null` when another holder has it and does not release it within `waitMs`. */
export function tryLock(path: string, waitMs = 0): Lock | null {
  const database = new DatabaseSync(path, { timeout: waitMs });
  try {
    // Without a journal on disk nothing is written: on a full disk a lock must still be had, to say that it is full
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === BUSY) return null;
    throw error;
  }
  return { release: () => database.close() };
}
