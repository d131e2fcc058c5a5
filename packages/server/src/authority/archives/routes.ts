import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { type ServedRoute, serve } from '../../http/register.ts';
import { beginAttempt } from '../sign-in/attempts.ts';
import type { Passwords } from '../sign-in/passwords.ts';
import { findUser } from '../users/store.ts';
import { type ArchivesOptions, markReady, raiseKeyLevel, registerArchive, releaseIdentity } from './archives.ts';
import { describeArchive } from './store.ts';

export function archiveRoutes(options: ArchivesOptions, passwords: Passwords): ServedRoute[] {
  const { context } = options;
  return [
    serve(deviceRoutes.registerArchive, async ({ principal, body }) =>
      describeArchive(await registerArchive(options, principal, body)),
    ),

    serve(deviceRoutes.archiveReady, async ({ principal }) => describeArchive(await markReady(options, principal))),

    serve(deviceRoutes.identity, ({ principal }) => releaseIdentity(options, principal)),

    serve(deviceRoutes.raiseKeyLevel, async ({ principal, body, address }) => {
      const user = await findUser(context.database.kysely, principal.userId);
      if (user === undefined) throw new ProtocolError('unauthenticated');
      const attempt = await beginAttempt(context, user.username, address);
      const { ok } = await passwords.verify(body.password, user.password_hash);
      if (!ok) throw new ProtocolError('sign_in_failed');
      await attempt.succeeded();
      if (user.must_change_password === 1) throw new ProtocolError('password_change_required');
      return describeArchive(await raiseKeyLevel(options, principal, body));
    }),
  ];
}
