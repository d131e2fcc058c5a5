import { createHash } from 'node:crypto';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { type AuthorityContext, type AuthorityTransaction, inTransaction } from '../context.ts';
import { type BucketKind, type Count, FORGET_MS, networkOf, usernameKey, waitFor } from './rules.ts';

/** Counts of failed sign-ins, shared by all processes of the authority. Names are hashed: people type passwords there. */

const KINDS: readonly BucketKind[] = ['address', 'name', 'pair'];

const bucket = (kind: BucketKind, ...parts: string[]) =>
  `${kind}:${createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32)}`;

const bucketsOf = (username: string, address: string): Readonly<Record<BucketKind, string>> => ({
  pair: bucket('pair', usernameKey(username), networkOf(address)),
  name: bucket('name', usernameKey(username)),
  address: bucket('address', networkOf(address)),
});

export type Attempt = { succeeded(): Promise<void> };

/**
 * Counts a try as failed before it is made, so that many at once do not slip through, or rejects with `too_many_attempts`.
 * `succeeded` takes that back.
 */
export async function beginAttempt(context: AuthorityContext, username: string, address: string): Promise<Attempt> {
  const buckets = bucketsOf(username, address);
  const now = context.now();
  const wait = await inTransaction(context, async (trx) => {
    const counts: Count[] = [];
    // Always in this order, so that two tries never wait for each other
    for (const kind of KINDS) counts.push(await lockCount(trx, kind, buckets[kind]));
    const ms = waitFor(counts, now);
    if (ms === 0) for (const count of counts) await add(trx, buckets[count.kind], count, now);
    return ms;
  });
  if (wait > 0) throw new ProtocolError('too_many_attempts', { retryAfterMs: wait });
  return {
    succeeded: () =>
      inTransaction(context, async (trx) => {
        await trx
          .updateTable('attempts')
          .set((eb) => ({ failures: eb('failures', '-', 1) }))
          .where('bucket', '=', buckets.address)
          .where('failures', '>', 0)
          .execute();
        for (const name of [buckets.name, buckets.pair]) {
          await trx.deleteFrom('attempts').where('bucket', '=', name).execute();
        }
      }),
  };
}

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

export async function forgetOldAttempts(context: AuthorityContext): Promise<void> {
  const before = context.now() - FORGET_MS;
  await context.database.kysely.deleteFrom('attempts').where('last', '<', before).execute();
}
