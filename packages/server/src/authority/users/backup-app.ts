import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { allows } from '@holdfast/protocol/permissions.ts';
import type { AuthorityContext } from '../context.ts';
import { BACKUP_APP } from '../devices/rules.ts';
import { grantsOf } from '../sign-in/sessions.ts';
import { findUser } from './store.ts';

/** Whoever may not restore gets no key either: not blocked, and allowed to use the backup app. */
export async function requireBackupApp({ database }: AuthorityContext, userId: string): Promise<void> {
  const user = await findUser(database.kysely, userId);
  if (user === undefined) throw new ProtocolError('unauthenticated');
  if (user.state === 'blocked') throw new ProtocolError('user_blocked');
  if (!allows(await grantsOf(database.kysely, userId), BACKUP_APP))
    throw new ProtocolError('forbidden', { data: { permission: BACKUP_APP } });
}
