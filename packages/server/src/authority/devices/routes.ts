import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { identityRoutes } from '@holdfast/protocol/identity-routes.ts';
import type { DevicePrincipal } from '../../http/principal.ts';
import { type ServedRoute, serve } from '../../http/register.ts';
import { type AuthorityContext, inTransaction } from '../context.ts';
import { settingsOf, settingsRevision } from '../settings/settings.ts';
import { prepareOwnPassword } from '../sign-in/own-password.ts';
import type { Passwords } from '../sign-in/passwords.ts';
import { verifyCredentials } from '../sign-in/sign-in.ts';
import { findUser } from '../users/store.ts';
import { type CapabilityIssuer, issueCapability } from './capability.ts';
import { deviceContextOf, type ServerFacts } from './device-context.ts';
import { enrol } from './enrol.ts';
import { devicesOfUser, findDevice, listDevices, removeDevice } from './store.ts';

export type DeviceRouteOptions = {
  readonly context: AuthorityContext;
  readonly passwords: Passwords;
  readonly server: ServerFacts;
  readonly issuer: CapabilityIssuer;
};

export function deviceRoutesOf({ context, passwords, server, issuer }: DeviceRouteOptions): ServedRoute[] {
  const { kysely } = context.database;
  const ownDevice = async ({ deviceId }: DevicePrincipal) => {
    const device = await findDevice(kysely, deviceId);
    if (device === undefined) throw new ProtocolError('unauthenticated');
    return device;
  };
  return [
    serve(enrolmentRoutes.enrol, async ({ body, address }) => {
      const { device, credential } = await enrol(context, passwords, body, address);
      return { ...(await deviceContextOf(kysely, server, device)), credential };
    }),

    serve(deviceRoutes.context, async ({ principal }) => deviceContextOf(kysely, server, await ownDevice(principal))),

    serve(deviceRoutes.describe, async ({ principal, body: { name, os, version } }) => {
      const values = { name, version, os: JSON.stringify(os) };
      await kysely.updateTable('devices').set(values).where('id', '=', principal.deviceId).execute();
      return undefined;
    }),

    serve(deviceRoutes.leave, async ({ principal: { deviceId } }) => {
      await inTransaction(context, (trx) => removeDevice(trx, deviceId, `device:${deviceId}`, context.now()));
      return undefined;
    }),

    serve(deviceRoutes.siblings, async ({ principal }) => {
      const rows = await devicesOfUser(kysely, principal.userId);
      const devices = rows.map(({ id, guid, name, public_key: publicKey, recipient, enrolled, removed }) => ({
        id,
        guid,
        name,
        publicKey,
        recipient,
        enrolled,
        removed,
      }));
      return { devices };
    }),

    serve(deviceRoutes.capability, ({ principal, body }) => issueCapability(context, issuer, principal, body)),

    serve(deviceRoutes.settings, () => settingsOf(kysely)),

    serve(deviceRoutes.status, async ({ principal, body }) => {
      const values = { status: JSON.stringify(body), version: body.version, last_seen: context.now() };
      await kysely.updateTable('devices').set(values).where('id', '=', principal.deviceId).execute();
      return { settingsRevision: await settingsRevision(kysely) };
    }),

    serve(deviceRoutes.changePassword, async ({ principal, body, address }) => {
      const owner = await findUser(kysely, principal.userId);
      if (owner === undefined) throw new ProtocolError('unauthenticated');
      const credentials = { username: owner.username, password: body.current, address };
      const user = await verifyCredentials(context, passwords, credentials);
      await inTransaction(context, await prepareOwnPassword(context, passwords, user, body));
      return undefined;
    }),

    serve(identityRoutes.devices, async ({ query }) => {
      const items = await listDevices(kysely, query);
      return { items, next: items.length < query.limit ? null : (items.at(-1)?.id ?? null) };
    }),

    serve(identityRoutes.revokeDevice, async ({ principal, params }) => {
      const actor = `user:${principal.userId}` as const;
      const removed = await inTransaction(context, (trx) => removeDevice(trx, params.device, actor, context.now()));
      if (!removed) throw new ProtocolError('not_found');
      return undefined;
    }),
  ];
}
