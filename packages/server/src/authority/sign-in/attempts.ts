import { createHash } from 'node:crypto';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { type AuthorityContext, type AuthorityTransaction, inTransaction } from '../context.ts';
import { type BucketKind, type Count, FORGET_MS, usernameKey, waitFor } from './rules.ts';

/** Counts of failed sign-ins, shared by all processes of the authority. Names are hashed: people type passwords there. */

const bucket = (kind: BucketKind, ...parts: string[]) =>
  `${kind}:${createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32)}`;

const bucketsOf = (username: string, address: string): Readonly<Record<BucketKind, string>> => ({
  pair: bucket('pair', usernameKey(username), address),
  name: bucket('name', usernameKey(username)),
  address: bucket('address', address),
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
    const counts = await Promise.all(
      Object.entries(buckets).map(([kind, name]) => countOf(trx, kind as BucketKind, name)),
    );
    const ms = waitFor(counts, now);
    if (ms === 0) for (const [i, name] of Object.values(buckets).entries()) await add(trx, name, counts[i], now);
    return ms;
  });
  if (wait > 0) throw new ProtocolError('too_many_attempts', { retryAfterMs: wait });
  return {
    succeeded: () =>
      inTransaction(context, async (trx) => {
        await trx.deleteFrom('attempts').where('bucket', 'in', [buckets.pair, buckets.name]).execute();
        await trx
          .updateTable('attempts')
          .set((eb) => ({ failures: eb('failures', '-', 1) }))
          .where('bucket', '=', buckets.address)
          .where('failures', '>', 0)
          .execute();
      }),
  };
}

async function countOf(trx: AuthorityTransaction, kind: BucketKind, name: string): Promise<Count> {
  const row = await trx.selectFrom('attempts').selectAll().where('bucket', '=', name).executeTakeFirst();
  return { kind, failures: row?.failures ?? 0, last: row?.last ?? 0 };
}

async function add(trx: AuthorityTransaction, name: string, count: Count | undefined, now: number): Promise<void> {
  const stale = count === undefined || now - count.last > FORGET_MS;
  await trx
    .insertInto('attempts')
    .values({ bucket: name, failures: 1, last: now })
    .onConflict((c) =>
      c.column('bucket').doUpdateSet((eb) => ({ failures: stale ? 1 : eb('attempts.failures', '+', 1), last: now })),
    )
    .execute();
}

export async function forgetOldAttempts(context: AuthorityContext): Promise<void> {
  const before = context.now() - FORGET_MS;
  await context.database.kysely.deleteFrom('attempts').where('last', '<', before).execute();
}
