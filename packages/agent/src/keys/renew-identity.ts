import { join } from 'node:path';
import type { ArchiveEndpoint, NamedObject } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import type { DeviceList } from '@holdfast/archive/format/device-list.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { nextGeneration } from '@holdfast/archive/keys/archive-keys.ts';
import { newestDeviceList, signDeviceList, withoutDevice } from '@holdfast/archive/keys/device-list.ts';
import { formatIdentity, generateIdentity, type Identity } from '@holdfast/archive/keys/identity.ts';
import { sealKeyFiles } from '@holdfast/archive/keys/key-file.ts';
import { isRaise, type KeyLevel } from '@holdfast/archive/keys/levels.ts';
import { wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import type { ArchiveInformation, DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { AgentError } from '../errors.ts';
import type { Connection } from '../remote/connection.ts';
import { type EnrolledDevice, requireDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { tryLock } from '../state/lock.ts';
import { readRenewal, updateRenewal } from '../state/renewal.ts';
import { rememberDeviceList, seenDeviceList } from '../state/trust.ts';
import { putPassphraseWrap } from './archive-password.ts';
import { dropIdentity, type FillRandom, loadIdentity, saveIdentity, takeOverIdentity } from './device-keys.ts';
import { highestCounter, readDeviceList } from './device-list.ts';
import { acceptedIdentity } from './follow-identity.ts';
import { openArchiveKeys, putKeyFiles, wrapName } from './stored-keys.ts';

/**
 * Whoever is shut out holds the old identity: a device that was removed, or escrow when the key level is raised. So a new identity
 * is made, and a new generation of the content key for what is sealed from then on.
 *
 * ```
 * make the new identity, keep it here              identity-next.age: an interrupted renewal goes on with the same one
 * key files of all generations and a new one       sealed to it, signed by it
 * the device list                                  signed by it; devices that the server has removed are marked so
 * wraps to what the level lives by, and to each device on the signed list
 * tell the authority: it swaps the old public identity for the new one, unless another device was faster
 * take it over here; the user's other devices follow at their next contact (follow-identity.ts)
 * ```
 * Until the authority knows, everything still opens with the old identity.
 */
export type Renewal =
  | { readonly level: 'account' }
  | { readonly level: 'archive-password'; readonly passphrase: string }
  /**
   * `keep` writes the exported identity; called before anything is changed elsewhere, so that the only copy is never in the air.
   * `discard` takes it away again when the server has refused the identity for good: the file would be no key.
   */
  | { readonly level: 'custom-key'; readonly keep: (identity: string) => void; readonly discard: () => void };

export type RenewOptions = {
  readonly home: Home;
  readonly connection: Connection;
  readonly context: DeviceContext;
  /** At the present key level, or at a higher one. */
  readonly renewal: Renewal;
  /** Of the account: asked once more. `null` where nobody is asked, at level `account` after a device was removed. */
  readonly password: string | null;
  readonly fillRandom: FillRandom;
  readonly now: () => number;
  readonly signal?: AbortSignal | undefined;
};

/** Answers the archive as the authority describes it afterwards. */
export async function renewIdentity(options: RenewOptions): Promise<ArchiveInformation> {
  const lock = tryLock(join(options.home.locks, 'identity'));
  if (lock === null) throw new AgentError('busy', { what: 'The keys are being renewed' });
  try {
    return await renew(options);
  } finally {
    lock.release();
  }
}

async function renew(options: RenewOptions): Promise<ArchiveInformation> {
  const { home, connection, context, renewal, signal } = options;
  const endpoint = connection.endpoint(requireDevice(home).archive.id, null);
  const current = await acceptedIdentity({ ...options, endpoint });
  const keys = await openArchiveKeys(endpoint, current, signal);
  const listed = await readDeviceList(home, endpoint, current, signal);
  if (listed === null) throw new ArchiveError('device_list_missing');
  requireLevel(listed.level ?? (options.password === null ? undefined : context.user.keyLevel), renewal.level);
  const keptFrom = await removedDevices(options);
  const list = { ...withoutRemoved(listed, keptFrom, options.now()), level: renewal.level };
  const device = requireDevice(home);
  const next = await nextIdentity(options, endpoint, { device, current, list });
  if (renewal.level === 'custom-key') renewal.keep(formatIdentity(next));
  await putNewKeys(options, endpoint, next, keys);
  const counter = await putDeviceListBy(options, endpoint, next, list);
  await putWraps(options, endpoint, next, list);
  const archive = await register(options, next, keptFrom).catch((error: unknown) => {
    if (renewal.level === 'custom-key' && isRefused(error)) renewal.discard();
    throw error;
  });
  await takeOverIdentity(home, device, next);
  // Not before: until then the lists of the old identity count
  rememberDeviceList(home, device.archive.id, counter);
  updateRenewal(home, { due: null, begun: null });
  return archive;
}

/** Nothing was registered, now or by an earlier try: the server answers that one again as done. */
const isRefused = (error: unknown): boolean => error instanceof ProtocolError && !error.retryable;

/**
 * By the list that the identity itself has signed: a server that said `account` of an archive which was raised would be handed
 * the new keys by escrow.
 */
function requireLevel(present: KeyLevel | undefined, wanted: KeyLevel): void {
  if (present === undefined)
    throw new AgentError('key_level_fixed', {
      what: 'The signed device list does not say at which key level it was made',
    });
  if (present !== wanted && !isRaise(present, wanted))
    throw new AgentError('key_level_fixed', {
      what: `The archive is at key level ${present}, whatever the server says`,
    });
}

/**
 * A removed device gets no new identity. The server's word is enough for that: it can keep a device out anyway, and nobody is added
 * by it.
 */
async function removedDevices({ connection, signal }: RenewOptions): Promise<string[]> {
  const { devices } = await connection.authority.call(deviceRoutes.siblings, {}, signal ? { signal } : {});
  return devices.filter(({ removed }) => removed !== null).map(({ id }) => id);
}

function withoutRemoved(list: DeviceList, removed: readonly string[], now: number): DeviceList {
  const gone = list.devices.filter((device) => device.removed === null && removed.includes(toHex(device.deviceId)));
  const left = gone.reduce((all, { deviceId }) => withoutDevice(all, deviceId, now), list);
  return { ...left, counter: list.counter };
}

type Situation = { readonly device: EnrolledDevice; readonly current: Identity; readonly list: DeviceList };

async function nextIdentity(
  { home, fillRandom, signal }: RenewOptions,
  endpoint: ArchiveEndpoint,
  { device, current, list }: Situation,
): Promise<Identity> {
  const begun = await loadIdentity(home, device, 'identity-next');
  const isNew = begun !== null && begun.recipient !== current.recipient;
  if (isNew && (await mayGoOn(begun, endpoint, list, signal))) return begun;
  const identity = await generateIdentity(fillRandom);
  await saveIdentity(home, identity, device.keys.recipient, 'identity-next');
  return identity;
}

/** Not with one that was perhaps wrapped, as its list says, to a device that is removed by now or for a lower level. */
async function mayGoOn(
  begun: Identity,
  endpoint: ArchiveEndpoint,
  list: DeviceList,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const before = await newestListBy(begun, endpoint, await endpoint.deviceLists(signal), 0);
  if (before === null) return true;
  const active = new Set(list.devices.filter(({ removed }) => removed === null).map(({ deviceId }) => toHex(deviceId)));
  const given = before.devices.filter(({ removed }) => removed === null);
  return before.level === list.level && given.every(({ deviceId }) => active.has(toHex(deviceId)));
}

async function newestListBy(
  { signing }: Identity,
  { archiveId }: Pick<ArchiveEndpoint, 'archiveId'>,
  stored: readonly NamedObject[],
  seen: number,
): Promise<DeviceList | null> {
  try {
    return (await newestDeviceList(stored, archiveId, [signing.publicKey], seen)).list;
  } catch (error) {
    if (error instanceof ArchiveError) return null;
    throw error;
  }
}

/** A renewal that was interrupted has stored them already: age files differ each time, and none is ever replaced. */
async function putNewKeys(
  { fillRandom, now, signal }: RenewOptions,
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

/** Another device may enrol at the same moment, and take the counter. */
const TRIES = 5;

/** Answers the counter of the list that the new identity has signed, now or before it was interrupted. */
async function putDeviceListBy(
  { home, signal }: RenewOptions,
  endpoint: ArchiveEndpoint,
  next: Identity,
  devices: DeviceList,
): Promise<number> {
  const seen = seenDeviceList(home, toHex(endpoint.archiveId));
  for (let left = TRIES; ; left--) {
    const stored = await endpoint.deviceLists(signal);
    const before = await newestListBy(next, endpoint, stored, seen);
    if (before !== null) return before.counter;
    const list = { ...devices, counter: highestCounter(stored, devices.counter) + 1 };
    try {
      await endpoint.putDeviceList(list.counter, await signDeviceList(list, next.signing), signal);
      return list.counter;
    } catch (error) {
      const isTaken = error instanceof ArchiveError && error.code === 'object_conflict';
      if (!isTaken || left === 0) throw error;
    }
  }
}

async function putWraps(
  { home, context, renewal, signal }: RenewOptions,
  endpoint: ArchiveEndpoint,
  identity: Identity,
  { devices }: DeviceList,
): Promise<void> {
  if (renewal.level === 'archive-password') await putPassphraseWrap(endpoint, identity, renewal.passphrase, signal);
  const escrow = renewal.level === 'account' ? [context.server.escrowRecipient] : [];
  const active = devices.filter(({ removed }) => removed === null).map(({ recipient }) => recipient);
  const { begun } = readRenewal(home);
  const wrapped = new Set(begun?.identity === identity.recipient ? begun.wrapped : []);
  for (const recipient of [...escrow, ...active]) {
    if (wrapped.has(recipient)) continue;
    await endpoint.putIdentityWrap(wrapName(recipient), await wrapIdentity(identity, { recipient }), signal);
    wrapped.add(recipient);
    updateRenewal(home, { begun: { identity: identity.recipient, wrapped: [...wrapped] } });
  }
}

async function register(
  { home, connection, context, renewal, password, signal }: RenewOptions,
  next: Identity,
  keptFrom: readonly string[],
): Promise<ArchiveInformation> {
  const { recipient, signingKey } = context.archive;
  if (recipient === null || signingKey === null) throw new ProtocolError('archive_missing');
  const body = {
    level: renewal.level,
    previous: { recipient, signingKey },
    identity: { recipient: next.recipient, signingKey: toHex(next.signing.publicKey) },
    keptFrom: [...keptFrom],
    ...(password !== null && { password }),
  };
  try {
    return await connection.authority.call(deviceRoutes.renewIdentity, { body }, signal ? { signal } : {});
  } catch (error) {
    // Another device was faster: its identity is followed, and ours never was one
    if (error instanceof ProtocolError && error.code === 'conflict') {
      dropIdentity(home, 'identity-next');
      updateRenewal(home, { begun: null });
    }
    throw error;
  }
}
