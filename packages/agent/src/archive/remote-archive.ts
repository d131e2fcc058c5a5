import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { fromHex } from '@holdfast/archive/format/ids.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { AgentError } from '../errors.ts';
import { readDeviceList } from '../keys/device-list.ts';
import { acceptedIdentity } from '../keys/follow-identity.ts';
import { openArchiveKeys } from '../keys/stored-keys.ts';
import type { Connection } from '../remote/connection.ts';
import type { EnrolledDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { type OpenedArchive, openedArchive } from './opened-archive.ts';

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
  const [keys, devices] = await Promise.all([
    openArchiveKeys(endpoint, identity, signal),
    readDeviceList(home, endpoint, identity, signal),
  ]);
  if (devices === null) throw new AgentError('snapshot_none');
  const receiptKey = fromHex(context.server.receiptKey);
  return openedArchive({ endpoint, keys, devices, own: device.id, receiptKey, close: () => connection.close() });
}
