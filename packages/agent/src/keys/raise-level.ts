import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import type { DeviceList } from '@holdfast/archive/format/device-list.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { nextGeneration } from '@holdfast/archive/keys/archive-keys.ts';
import { newestDeviceList, signDeviceList, withoutDevice } from '@holdfast/archive/keys/device-list.ts';
import { formatIdentity, generateIdentity, type Identity } from '@holdfast/archive/keys/identity.ts';
import { sealKeyFiles } from '@holdfast/archive/keys/key-file.ts';
import { wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { PASSPHRASE_WRAP_NAME } from '@holdfast/archive/store/layout.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import type { Connection } from '../remote/connection.ts';
import { type EnrolledDevice, writeDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { rememberDeviceList, seenDeviceList } from '../state/trust.ts';
import { dropIdentity, type FillRandom, loadIdentity, pinOf, saveIdentity } from './device-keys.ts';
import { highestCounter, readDeviceList } from './device-list.ts';
import { acceptedIdentity } from './follow-identity.ts';
import { openArchiveKeys, putKeyFiles, wrapName } from './stored-keys.ts';

/**
 * Raising the key level shuts the organization's escrow out. It holds the old identity, so a new one is made, and a new
 * generation of the content key for what is sealed from then on.
 *
 * ```
 * make the new identity, keep it here              identity-next.age: an interrupted change goes on with the same one
 * key files of all generations and a new one       sealed to it, signed by it
 * the device list                                  signed by it; devices that the server has removed are marked so
 * wraps to the password (or the exported file) and to each device on the signed list
 * tell the authority: the level, the new public identity; it removes the escrow wrap
 * take it over here; the user's other devices follow at their next contact (follow-identity.ts)
 * ```
 * Until the authority knows, everything still opens with the old identity.
 */
export type Raise =
  | { readonly level: 'archive-password'; readonly passphrase: string }
  /** Writes the exported identity; called before anything is changed elsewhere, so that the only copy is never in the air. */
  | { readonly level: 'custom-key'; readonly keep: (identity: string) => void };

export type RaiseOptions = {
  readonly home: Home;
  readonly device: EnrolledDevice;
  readonly connection: Connection;
  readonly context: DeviceContext;
  readonly raise: Raise;
  /** Of the account: asked once more. */
  readonly password: string;
  readonly fillRandom: FillRandom;
  readonly now: () => number;
  readonly signal?: AbortSignal;
};

export async function raiseKeyLevel(options: RaiseOptions): Promise<void> {
  const { home, device, connection, raise, password, signal } = options;
  const endpoint = connection.endpoint(device.archive.id, null);
  const current = await acceptedIdentity({ ...options, endpoint });
  const keys = await openArchiveKeys(endpoint, current, signal);
  const listed = await readDeviceList(home, endpoint, current, signal);
  if (listed === null) throw new ArchiveError('device_list_missing');
  const devices = await withoutRemoved(listed, options);
  const next = await nextIdentity(options);
  if (raise.level === 'custom-key') raise.keep(formatIdentity(next));
  await putNewKeys(options, endpoint, next, keys);
  const counter = await putDeviceListBy(options, endpoint, next, devices);
  await putWraps(endpoint, next, devices, raise, signal);
  const identity = { recipient: next.recipient, signingKey: toHex(next.signing.publicKey) };
  const body = { level: raise.level, password, identity };
  await connection.authority.call(deviceRoutes.raiseKeyLevel, { body }, signal ? { signal } : {});
  await saveIdentity(home, next, device.keys.recipient);
  writeDevice(home, { ...device, archive: pinOf(device.archive.id, next) });
  // Not before: until then the lists of the old identity count
  rememberDeviceList(home, device.archive.id, counter);
  dropIdentity(home, 'identity-next');
}

/**
 * A removed device gets no new identity. The server's word is enough for that: it can keep a device out anyway, and nobody is added
 * by it.
 */
async function withoutRemoved(list: DeviceList, { connection, now, signal }: RaiseOptions): Promise<DeviceList> {
  const { devices } = await connection.authority.call(deviceRoutes.siblings, {}, signal ? { signal } : {});
  const removed = new Set(devices.filter((device) => device.removed !== null).map(({ id }) => id));
  const gone = list.devices.filter((device) => device.removed === null && removed.has(toHex(device.deviceId)));
  const left = gone.reduce((all, { deviceId }) => withoutDevice(all, deviceId, now()), list);
  return { ...left, counter: list.counter };
}

async function nextIdentity({ home, device, fillRandom }: RaiseOptions): Promise<Identity> {
  const begun = await loadIdentity(home, device, 'identity-next');
  if (begun !== null) return begun;
  const identity = await generateIdentity(fillRandom);
  await saveIdentity(home, identity, device.keys.recipient, 'identity-next');
  return identity;
}

/** A change that was interrupted has stored them already: age files differ each time, and none is ever replaced. */
async function putNewKeys(
  { fillRandom, now, signal }: RaiseOptions,
  endpoint: ArchiveEndpoint,
  next: Identity,
  keys: ArchiveKeys,
): Promise<void> {
  const stored = new Set((await endpoint.keyFiles(signal)).map(({ name }) => name));
  const suffix = `-${wrapName(next.recipient)}`;
  if ([...stored].filter((name) => name.endsWith(suffix)).length > keys.contentKeys.size) return;
  const files = await sealKeyFiles(nextGeneration(keys, fillRandom), next.recipient, next.signing, now());
  const missing = files.filter(({ generation }) => !stored.has(`${String(generation).padStart(5, '0')}${suffix}`));
  await putKeyFiles(endpoint, missing, signal);
}

/** Answers the counter of the list that the new identity has signed, now or before it was interrupted. */
async function putDeviceListBy(
  { home, signal }: RaiseOptions,
  endpoint: ArchiveEndpoint,
  next: Identity,
  devices: DeviceList,
): Promise<number> {
  const stored = await endpoint.deviceLists(signal);
  const seen = seenDeviceList(home, toHex(endpoint.archiveId));
  try {
    const { list } = await newestDeviceList(stored, endpoint.archiveId, [next.signing.publicKey], seen);
    return list.counter;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
  }
  const list = { ...devices, counter: highestCounter(stored, devices.counter) + 1 };
  await endpoint.putDeviceList(list.counter, await signDeviceList(list, next.signing), signal);
  return list.counter;
}

async function putWraps(
  endpoint: ArchiveEndpoint,
  identity: Identity,
  { devices }: DeviceList,
  raise: Raise,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (raise.level === 'archive-password') await putPassphraseWrap(endpoint, identity, raise.passphrase, signal);
  for (const { recipient, removed } of devices) {
    if (removed !== null) continue;
    await endpoint.putIdentityWrap(wrapName(recipient), await wrapIdentity(identity, { recipient }), signal);
  }
}

const putPassphraseWrap = async (
  endpoint: ArchiveEndpoint,
  identity: Identity,
  passphrase: string,
  signal?: AbortSignal,
) => endpoint.putIdentityWrap(PASSPHRASE_WRAP_NAME, await wrapIdentity(identity, { passphrase }), signal);

type PasswordChange = Pick<RaiseOptions, 'home' | 'device' | 'connection' | 'context' | 'signal'> & {
  readonly passphrase: string;
};

/** At level archive-password: the same identity under another password. */
export async function changeArchivePassword(options: PasswordChange): Promise<void> {
  const { device, connection, passphrase, signal } = options;
  const endpoint = connection.endpoint(device.archive.id, null);
  const identity = await acceptedIdentity({ ...options, endpoint });
  await putPassphraseWrap(endpoint, identity, passphrase, signal);
}
