import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Connection } from '../remote/connection.ts';
import { type EnrolledDevice, writeDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { pinOf, publicOf } from './device-keys.ts';
import { joinArchive } from './join-archive.ts';
import { type KeySource, obtainIdentity } from './obtain-identity.ts';

/**
 * Gives an enrolled device the key to its user's archive (again): `identity.age` was lost, or the key level was raised while this
 * device was away and its wrap did not reach it. What is accepted here a person has brought, so it replaces the pin.
 */
export type RecoverOptions = {
  readonly home: Home;
  readonly device: EnrolledDevice;
  readonly connection: Connection;
  readonly context: DeviceContext;
  readonly source: KeySource;
  readonly now: () => number;
  readonly signal?: AbortSignal;
};

export async function recoverIdentity(options: RecoverOptions): Promise<void> {
  const { home, device, connection, context, source, now, signal } = options;
  const { id, recipient, signingKey } = context.archive;
  if (id === null || recipient === null || signingKey === null) throw new ProtocolError('archive_missing');
  const endpoint = connection.endpoint(id, null);
  const identity = await obtainIdentity(source, {
    level: context.user.keyLevel,
    known: publicOf({ recipient, signingKey }),
    authority: connection.authority,
    endpoint,
    deviceAgeKey: device.keys.age,
    ...(signal && { signal }),
  });
  await joinArchive({ home, device, endpoint, identity, now, signal });
  writeDevice(home, { ...device, archive: pinOf(id, identity) });
}
