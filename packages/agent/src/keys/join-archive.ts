import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { fromHex } from '@holdfast/archive/format/ids.ts';
import { type Identity, publicIdentity } from '@holdfast/archive/keys/identity.ts';
import type { KeyLevel } from '@holdfast/archive/keys/levels.ts';
import { unwrapIdentity, wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { wrapsNamed } from '@holdfast/archive/store/wraps.ts';
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
  /** Of an archive that this device has just made. Nobody else may say it: the server could ask for a lower one. */
  readonly madeAt?: KeyLevel | undefined;
  readonly now: () => number;
  readonly signal?: AbortSignal | undefined;
};

export async function joinArchive({
  home,
  device,
  endpoint,
  identity,
  madeAt,
  now,
  signal,
}: JoinOptions): Promise<void> {
  const { recipient } = device.keys;
  await openArchiveKeys(endpoint, identity, signal);
  await saveIdentity(home, identity, recipient);
  if (!(await isWrapped(endpoint, device, identity, signal)))
    await endpoint.putIdentityWrap(wrapName(recipient), await wrapIdentity(identity, { recipient }), signal);
  const { publicKey } = await deviceSigningKey(device);
  const listed = { deviceId: fromHex(device.id), publicKey, recipient, name: device.name, added: now() };
  await joinDeviceList(home, endpoint, identity, listed, { level: madeAt, signal });
}

/** Does the newest wrap for this device hold the identity? A wrap is never removed, so none is added without need. */
async function isWrapped(
  endpoint: Pick<ArchiveEndpoint, 'identityWraps'>,
  { keys }: Device,
  identity: Identity,
  signal?: AbortSignal,
): Promise<boolean> {
  const [newest] = wrapsNamed(await endpoint.identityWraps(signal), wrapName(keys.recipient));
  if (newest === undefined) return false;
  try {
    await unwrapIdentity(newest.bytes, { ageIdentity: keys.age }, publicIdentity(identity));
    return true;
  } catch (error) {
    if (error instanceof ArchiveError) return false;
    throw error;
  }
}
