import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { append } from '../audit/audit.ts';
import type { AuthorityContext, AuthorityTransaction } from '../context.ts';
import type { UserRow } from '../tables.ts';
import { replacePassword } from '../users/store.ts';
import { checkNewPassword, type Passwords } from './passwords.ts';
import { endSessions } from './sessions.ts';

export type OwnPassword = {
  readonly current: string;
  readonly next: string;
  /** The session that goes on; all others of the user end. */
  readonly session?: string;
};

/**
 * A password that users chose takes the place of the one that has just proved them (`user` is as it was then). Hashing takes
 * long, so it comes before the transaction of the caller's. Of two who use one password at once only one gets through: the
 * other is told `sign_in_failed`, as if it had come later.
 */
export async function prepareOwnPassword(
  context: AuthorityContext,
  passwords: Passwords,
  user: UserRow,
  { current, next, session }: OwnPassword,
): Promise<(trx: AuthorityTransaction) => Promise<void>> {
  checkNewPassword(next, user.username, current);
  const hash = await passwords.hash(next);
  return async (trx) => {
    if (!(await replacePassword(trx, user, hash))) throw new ProtocolError('sign_in_failed');
    await endSessions(trx, { user: user.id, ...(session !== undefined && { except: session }) });
    await append(trx, { at: context.now(), actor: `user:${user.id}`, action: 'user.password_changed' });
  };
}
