import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ServerError } from './errors.ts';

/**
 * One server per data folder. An SQLite file locked exclusively is a lock that every system releases when the process
 * ends, however it ends.
 */
export function lockDataFolder(dataDir: string): { release(): void } {
  const db = new DatabaseSync(join(dataDir, 'server.lock'));
  try {
    db.exec('pragma locking_mode = exclusive; begin exclusive;');
  } catch (cause) {
    db.close();
    throw new ServerError('data_in_use', { cause, data: { dataDir } });
  }
  return { release: () => db.close() };
}
