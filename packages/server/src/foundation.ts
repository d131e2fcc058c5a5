import { randomBytes } from 'node:crypto';
import { bootstrap } from './authority/bootstrap.ts';
import type { AuthorityContext } from './authority/context.ts';
import { isUnfinished } from './authority/dump/unfinished.ts';
import { createKeystore, type Keystore, keystoreExists, openKeystore } from './authority/keyring/keystore.ts';
import type { AuthorityTables } from './authority/tables.ts';
import type { ServerConfig } from './config.ts';
import { openDatabase } from './database/open.ts';
import { ServerError } from './errors.ts';
import { makePrivateFolder } from './files.ts';

/** What both the running server and the commands beside it stand on: keystore and database. */
export type Foundation = {
  readonly keystore: Keystore;
  readonly context: AuthorityContext;
  /** Nothing was there before. */
  readonly isNew: boolean;
  close(): Promise<void>;
};

/** `create` makes what is missing; without it an empty data folder is refused with `keystore_missing`. */
export async function openFoundation(
  config: ServerConfig,
  options: { create: boolean; now: () => number; onIdleError?: (error: Error) => void },
): Promise<Foundation> {
  const { now } = options;
  const isNew = !keystoreExists(config.keystoreDir);
  if (isNew && !options.create) throw new ServerError('keystore_missing', { data: { dataDir: config.dataDir } });
  await makePrivateFolder(config.dataDir);
  const database = openDatabase<AuthorityTables>(config.database, {
    ...(options.onIdleError && { onIdleError: options.onIdleError }),
  });
  const context: AuthorityContext = { database, now, random: (length) => randomBytes(length) };
  try {
    if (await isUnfinished(database))
      throw new ServerError('recover_unfinished', { data: { dataDir: config.dataDir } });
    const keystore = isNew ? await createKeystore(config.keystoreDir, now()) : await openKeystore(config.keystoreDir);
    await bootstrap(context);
    return { keystore, context, isNew, close: () => database.close() };
  } catch (error) {
    await database.close();
    throw error;
  }
}
