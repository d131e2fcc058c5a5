import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { allows, isPermission } from '@holdfast/protocol/permissions.ts';
import { unknownAccess } from '../http/app.ts';
import { bearerOf, hashToken } from '../http/bearer.ts';
import { isLoopbackCaller } from '../http/loopback.ts';
import type { DevicePrincipal } from '../http/principal.ts';
import type { Authorize } from '../http/register.ts';
import type { AuthorityContext } from './context.ts';
import { findDeviceByCredential, touchDevice } from './devices/store.ts';
import { findSession, type SessionUser } from './sign-in/sessions.ts';

/** Who may use which route of the authority: the one place where that is decided. */
export function authorityAuthorizer(context: AuthorityContext): Authorize {
  return async (route, request) => {
    const { permission } = route;
    if (permission === 'public') return { kind: 'nobody' };
    if (route.loopback === true && isLoopbackCaller(request)) return { kind: 'local' };
    if (permission === 'device') return authorizeDevice(context, bearerOf(request));
    const user = await authorizeUser(context, bearerOf(request));
    if (permission === 'session') return user;
    if (!isPermission(permission)) return unknownAccess(permission);
    if (user.user.must_change_password === 1) throw new ProtocolError('password_change_required');
    if (!allows(user.grants, permission)) throw new ProtocolError('forbidden', { data: { permission } });
    return user;
  };
}

async function authorizeUser(context: AuthorityContext, token: string): Promise<SessionUser> {
  const user = await findSession(context, token);
  if (user === null) throw new ProtocolError('unauthenticated');
  return user;
}

async function authorizeDevice(context: AuthorityContext, credential: string): Promise<DevicePrincipal> {
  const device = await findDeviceByCredential(context.database.kysely, hashToken(credential));
  if (device === undefined) throw new ProtocolError('unauthenticated');
  if (device.removed !== null) throw new ProtocolError('device_revoked');
  await touchDevice(context, device);
  return { kind: 'device', deviceId: device.id, userId: device.user };
}
