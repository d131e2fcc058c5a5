/**
 * The audit log: every action that matters for security, in a chain of hashes.
 *
 * An *entry* is who did what to which thing; its hash covers the entry and the hash before it, so that one entry cannot be
 * changed or taken out without changing all that follow, and dumps kept elsewhere show the difference. `append` runs in the
 * transaction of the action itself: neither is without the other.
 *
 *     hash = SHA-256(previous hash || JSON [sequence, at, actor, action, target, details])
 */

import { createHash } from 'node:crypto';
import { ServerError } from '../../errors.ts';
import type { AuditRow, AuthorityQueries } from '../tables.ts';

/** What an entry is about. Add here first; the words are part of the log's format. */
export type AuditAction =
  | 'server.started'
  | 'server.recovered'
  | 'dump.made'
  | 'kit.made'
  | 'kit.confirmed'
  | 'maintenance.held'
  | 'maintenance.released'
  | 'user.signed_in'
  | 'user.sign_in_failed'
  | 'user.signed_out'
  | 'user.password_changed'
  | 'user.password_reset'
  | 'user.password_set'
  | 'user.created'
  | 'user.updated'
  | 'device.enrolled'
  | 'device.removed'
  | 'archive.registered'
  | 'archive.ready'
  | 'archive.key_requested'
  | 'archive.key_given'
  | 'archive.key_level_raised'
  | 'archive.identity_renewed'
  | 'archive.identity_released'
  | 'capability.refused'
  | 'organization.updated'
  | 'organization.registration_key_renewed';

/** `user:<id>`, `device:<id>`, `system`, or `anonymous`. */
export type Actor = `user:${string}` | `device:${string}` | 'system' | 'anonymous';

export type AuditEntry = {
  readonly at: number;
  readonly actor: Actor;
  readonly action: AuditAction;
  readonly target?: string;
  readonly details?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
};

export const GENESIS = '0'.repeat(64);

type Hashed = Omit<AuditRow, 'hash'>;

export function hashEntry(previous: string, e: Hashed): string {
  const line = JSON.stringify([e.sequence, e.at, e.actor, e.action, e.target, e.details]);
  return createHash('sha256').update(Buffer.from(previous, 'hex')).update(line).digest('hex');
}

/** Appends to the log; `queries` must be the transaction that does what the entry says. */
export async function append(queries: AuthorityQueries, entry: AuditEntry): Promise<void> {
  // Taking the number locks the head row, so entries of concurrent transactions line up
  const head = await queries
    .updateTable('audit_head')
    .set((eb) => ({ sequence: eb('sequence', '+', 1) }))
    .where('id', '=', 1)
    .returning(['sequence', 'hash'])
    .executeTakeFirstOrThrow();
  const row: Hashed = {
    sequence: head.sequence,
    at: entry.at,
    actor: entry.actor,
    action: entry.action,
    target: entry.target ?? null,
    details: JSON.stringify(entry.details ?? {}),
  };
  const hash = hashEntry(head.hash, row);
  await queries
    .insertInto('audit')
    .values({ ...row, hash })
    .execute();
  await queries.updateTable('audit_head').set({ hash }).where('id', '=', 1).execute();
}

/** Newest first, from below `before`. */
export function readEntries(
  queries: AuthorityQueries,
  page: { before?: number | undefined; limit: number },
): Promise<AuditRow[]> {
  let query = queries.selectFrom('audit').selectAll().orderBy('sequence', 'desc').limit(page.limit);
  if (page.before !== undefined) query = query.where('sequence', '<', page.before);
  return query.execute();
}

const VERIFY_BATCH = 1000;

/** Recomputes the chain; resolves with the number of entries, rejects with `audit_broken` at the first that is wrong. */
export async function verifyChain(queries: AuthorityQueries): Promise<number> {
  let sequence = 0;
  let hash = GENESIS;
  for (;;) {
    const rows = await queries
      .selectFrom('audit')
      .selectAll()
      .where('sequence', '>', sequence)
      .orderBy('sequence')
      .limit(VERIFY_BATCH)
      .execute();
    for (const row of rows) {
      const follows = row.sequence === sequence + 1 && row.hash === hashEntry(hash, row);
      if (!follows) throw new ServerError('audit_broken', { data: { sequence: sequence + 1 } });
      ({ sequence, hash } = row);
    }
    if (rows.length < VERIFY_BATCH) break;
  }
  const head = await queries.selectFrom('audit_head').selectAll().executeTakeFirstOrThrow();
  if (head.sequence !== sequence || head.hash !== hash) throw new ServerError('audit_broken', { data: { sequence } });
  return sequence;
}
