import type { Transaction } from 'kysely';
import type { Database } from '../database/open.ts';
import type { AuthorityTables } from './tables.ts';

/** What every part of the authority works with: its database, the time, randomness. */
export type AuthorityContext = {
  readonly database: Database<AuthorityTables>;
  readonly now: () => number;
  readonly random: (bytes: number) => Uint8Array;
};

export type AuthorityTransaction = Transaction<AuthorityTables>;

/** Runs `work` in one transaction; inside it use only what is passed. */
export const inTransaction = <T>(
  { database }: Pick<AuthorityContext, 'database'>,
  work: (trx: AuthorityTransaction) => Promise<T>,
): Promise<T> => database.kysely.transaction().execute(work);

export const newId = ({ random }: Pick<AuthorityContext, 'random'>): string => Buffer.from(random(16)).toString('hex');
