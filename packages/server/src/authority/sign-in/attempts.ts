import { createHash } from 'node:crypto';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { type AuthorityContext, type AuthorityTransaction, inTransaction } from '../context.ts';
import { type BucketKind, type Count, FORGET_MS, KNOWN_MS, networkOf, usernameKey, waitFor } from './rules.ts';

/** Counts of failed sign-ins, shared by all processes of the authority. Names are hashed: people type passwords there. */

type Bucket = { readonly kind: BucketKind; readonly name: string };

const hashed = (...parts: string[]) => createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32);

/** Notes that this user has signed in from this network. */
const knownBucket = (username: string, network: string) => `known:${hashed(usernameKey(username), network)}`;

/** Always in this order, so that two tries never wait for each other. */
function bucketsOf(username: string | null, network: string, isKnown: boolean): Bucket[] {
  const address: Bucket = { kind: 'address', name: `address:${hashed(network)}` };
  if (username === null) return [address];
  const key = usernameKey(username);
  const pair: Bucket = { kind: 'pair', name: `pair:${hashed(key, network)}` };
  return isKnown ? [address, pair] : [address, { kind: 'name', name: `name:${hashed(key)}` }, pair];
}

export type Attempt = { succeeded(): Promise<void> };

/**
 * Counts a try as failed before it is made, so that many at once do not slip through, or rejects with `too_many_attempts`.
 * `succeeded` takes that back. Without a user name (a registration key is too long to guess) only the address counts. Where
 * the user has signed in from before, guessing from elsewhere does not count against them: nobody is locked out by strangers.
 */
export async function beginAttempt(
  context: AuthorityContext,
  username: string | null,
  address: string,
): Promise<Attempt> {
  const network = networkOf(address);
  const now = context.now();
  const known = username === null ? null : knownBucket(username, network);
  const { wait, buckets } = await inTransaction(context, async (trx) => {
    const found = bucketsOf(username, network, known !== null && (await isThere(trx, known)));
    const counts: Count[] = [];
    for (const { kind, name } of found) counts.push(await lockCount(trx, kind, name));
    const ms = waitFor(counts, now);
    if (ms === 0) for (const [i, count] of counts.entries()) await add(trx, found[i]?.name ?? '', count, now);
    return { wait: ms, buckets: found };
  });
  if (wait > 0) throw new ProtocolError('too_many_attempts', { retryAfterMs: wait });
  return { succeeded: () => inTransaction(context, (trx) => takeBack(trx, buckets, known, now)) };
}

async function takeBack(
  trx: AuthorityTransaction,
  buckets: readonly Bucket[],
  known: string | null,
  now: number,
): Promise<void> {
  for (const { kind, name } of buckets) {
    if (kind !== 'address') await trx.deleteFrom('attempts').where('bucket', '=', name).execute();
    else {
      const query = trx.updateTable('attempts').set((eb) => ({ failures: eb('failures', '-', 1) }));
      await query.where('bucket', '=', name).where('failures', '>', 0).execute();
    }
  }
  if (known === null) return;
  const row = { bucket: known, failures: 0, last: now };
  await trx
    .insertInto('attempts')
    .values(row)
    .onConflict((c) => c.column('bucket').doUpdateSet({ last: now }))
    .execute();
}

const isThere = async (trx: AuthorityTransaction, name: string): Promise<boolean> =>
  (await trx.selectFrom('attempts').select('bucket').where('bucket', '=', name).executeTakeFirst()) !== undefined;

/** Reads a count and keeps others from it until the transaction ends: writing the row as it is locks it on both databases. */
async function lockCount(trx: AuthorityTransaction, kind: BucketKind, name: string): Promise<Count> {
  const { failures, last } = await trx
    .insertInto('attempts')
    .values({ bucket: name, failures: 0, last: 0 })
    .onConflict((c) => c.column('bucket').doUpdateSet((eb) => ({ failures: eb.ref('attempts.failures') })))
    .returning(['failures', 'last'])
    .executeTakeFirstOrThrow();
  return { kind, failures, last };
}

async function add(trx: AuthorityTransaction, name: string, count: Count, now: number): Promise<void> {
  const failures = now - count.last > FORGET_MS ? 1 : count.failures + 1;
  await trx.updateTable('attempts').set({ failures, last: now }).where('bucket', '=', name).execute();
}

export async function forgetOldAttempts({ database, now }: AuthorityContext): Promise<void> {
  const old = database.kysely.deleteFrom('attempts').where('last', '<', now() - FORGET_MS);
  await old.where('bucket', 'not like', 'known:%').execute();
  await database.kysely
    .deleteFrom('attempts')
    .where('last', '<', now() - KNOWN_MS)
    .execute();
}
