import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { fromHex } from '@holdfast/archive/format/ids.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { acceptedIdentity } from '../keys/follow-identity.ts';
import { openArchiveKeys, readArchiveKeys } from '../keys/stored-keys.ts';
import type { Connection } from '../remote/connection.ts';
import type { EnrolledDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { rememberDeviceList, seenDeviceList } from '../state/trust.ts';
import { type OpenedArchive, openParts } from './opened-archive.ts';

export type RemoteArchiveOptions = {
  readonly home: Home;
  readonly device: EnrolledDevice;
  readonly connection: Connection;
  /** As the server describes us now. */
  readonly context: DeviceContext;
  /** Destination id, hex; null for the user's own. */
  readonly destination?: string | null;
  readonly signal?: AbortSignal;
};

export type KeyedArchive = { readonly endpoint: ArchiveEndpoint; readonly keys: ArchiveKeys };

/** The archive's keys with the identity that this device has accepted, following a changed key level. */
export async function openKeyedArchive(options: RemoteArchiveOptions): Promise<KeyedArchive> {
  const { device, connection, destination = null, signal } = options;
  const endpoint = connection.endpoint(device.archive.id, destination);
  const identity = await acceptedIdentity({ ...options, endpoint });
  return { endpoint, keys: await openArchiveKeys(endpoint, identity, signal) };
}

export async function openRemoteArchive(options: RemoteArchiveOptions): Promise<OpenedArchive> {
  const { home, device, connection, context, destination = null, signal } = options;
  const endpoint = connection.endpoint(device.archive.id, destination);
  const identity = await acceptedIdentity({ ...options, endpoint });
  const archive = await openParts({
    endpoint,
    ...(await readArchiveKeys(endpoint, identity, signal)),
    identity,
    seenCounter: seenDeviceList(home, device.archive.id),
    own: device.id,
    receiptKey: fromHex(context.server.receiptKey),
    close: () => connection.close(),
    ...(signal && { signal }),
  });
  rememberDeviceList(home, device.archive.id, archive.devices.counter);
  return archive;
}
