import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { type ServedRoute, serve } from '../../http/register.ts';
import { beginAttempt } from '../sign-in/attempts.ts';
import type { Passwords } from '../sign-in/passwords.ts';
import { findUser } from '../users/store.ts';
import { type ArchivesOptions, markReady, registerArchive, releaseIdentity } from './archives.ts';
import { renewIdentity } from './renewal.ts';
import { describeArchive } from './store.ts';

export function archiveRoutes(options: ArchivesOptions, passwords: Passwords): ServedRoute[] {
  const { context } = options;
  const requirePassword = async (userId: string, password: string, address: string) => {
    const user = await findUser(context.database.kysely, userId);
    if (user === undefined) throw new ProtocolError('unauthenticated');
    const attempt = await beginAttempt(context, user.username, address);
    const { ok } = await passwords.verify(password, user.password_hash);
    if (!ok) throw new ProtocolError('sign_in_failed');
    await attempt.succeeded();
    if (user.must_change_password === 1) throw new ProtocolError('password_change_required');
  };
  return [
    serve(deviceRoutes.registerArchive, async ({ principal, body }) =>
      describeArchive(await registerArchive(options, principal, body)),
    ),

    serve(deviceRoutes.archiveReady, async ({ principal }) => describeArchive(await markReady(options, principal))),

    serve(deviceRoutes.identity, ({ principal }) => releaseIdentity(options, principal)),

    serve(deviceRoutes.renewIdentity, async ({ principal, body, address }) => {
      if (body.password !== undefined) await requirePassword(principal.userId, body.password, address);
      const confirmed = body.password !== undefined;
      return describeArchive(await renewIdentity(options, principal, { ...body, confirmed }));
    }),
  ];
}
