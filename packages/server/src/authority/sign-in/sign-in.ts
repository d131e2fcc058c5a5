/**
 * Signing in: a *password* proves a *user* and opens a *session*.
 *
 *     count the attempt, refuse while the delay runs
 *     verify against the user's hash, or against a decoy when there is no such user
 *     success: take the count back, renew an outdated hash
 *     failure: one answer for every reason that a stranger could learn from
 */

import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { append } from '../audit/audit.ts';
import { type AuthorityContext, inTransaction } from '../context.ts';
import type { UserRow } from '../tables.ts';
import { findUserByName, setPassword } from '../users/store.ts';
import { beginAttempt } from './attempts.ts';
import type { Passwords } from './passwords.ts';

/** The user that these credentials prove; rejects with `sign_in_failed`, `user_blocked` or `too_many_attempts`. */
export async function verifyCredentials(
  context: AuthorityContext,
  passwords: Passwords,
  credentials: { readonly username: string; readonly password: string; readonly address: string },
): Promise<UserRow> {
  const { username, password, address } = credentials;
  const attempt = await beginAttempt(context, username, address);
  const user = await findUserByName(context.database.kysely, username);
  const { ok, outdated } = await passwords.verify(password, user?.password_hash ?? null);
  if (user === undefined || !ok) {
    await noteFailure(context, user, address);
    throw new ProtocolError('sign_in_failed');
  }
  await attempt.succeeded();
  if (user.state === 'blocked') throw new ProtocolError('user_blocked');
  if (!outdated) return user;
  const hash = await passwords.hash(password);
  await setPassword(context.database.kysely, user.id, hash, user.must_change_password === 1);
  return { ...user, password_hash: hash };
}

/** Only of users that exist: what else is typed there may be a password. */
async function noteFailure(context: AuthorityContext, user: UserRow | undefined, address: string): Promise<void> {
  await inTransaction(context, (trx) =>
    append(trx, {
      at: context.now(),
      actor: 'anonymous',
      action: 'user.sign_in_failed',
      ...(user && { target: `user:${user.id}` }),
      details: { address },
    }),
  );
}
