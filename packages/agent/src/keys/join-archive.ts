import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { fromHex } from '@holdfast/archive/format/ids.ts';
import type { Identity } from '@holdfast/archive/keys/identity.ts';
import { wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import type { Device } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { deviceSigningKey, saveIdentity } from './device-keys.ts';
import { joinDeviceList } from './device-list.ts';
import { openArchiveKeys, wrapName } from './stored-keys.ts';

/**
 * Makes this device one that holds the identity: proves first that the identity opens the archive, then keeps a wrap of it here and
 * beside the archive, and puts the device on the signed list, by which the device's snapshots are believed. Repeating it is fine.
 */
export type JoinOptions = {
  readonly home: Home;
  readonly device: Device;
  readonly endpoint: ArchiveEndpoint;
  readonly identity: Identity;
  readonly now: () => number;
  readonly signal?: AbortSignal | undefined;
};

export async function joinArchive({ home, device, endpoint, identity, now, signal }: JoinOptions): Promise<void> {
  const { recipient } = device.keys;
  await openArchiveKeys(endpoint, identity, signal);
  await saveIdentity(home, identity, recipient);
  await endpoint.putIdentityWrap(wrapName(recipient), await wrapIdentity(identity, { recipient }), signal);
  const { publicKey } = await deviceSigningKey(device);
  const listed = { deviceId: fromHex(device.id), publicKey, recipient, name: device.name, added: now() };
  await joinDeviceList(home, endpoint, identity, listed, signal);
}
