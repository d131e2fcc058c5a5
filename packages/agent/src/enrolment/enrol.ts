import { arch, release } from 'node:os';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { type Identity, publicIdentity } from '@holdfast/archive/keys/identity.ts';
import type { KeyLevel } from '@holdfast/archive/keys/levels.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { type DeviceContext, enrolmentProof, enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import type { Enrolment } from '@holdfast/protocol/enrolment-string.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Input } from '@holdfast/protocol/route.ts';
import { AgentError, codeOf } from '../errors.ts';
import {
  dropIdentity,
  type FillRandom,
  loadIdentity,
  messageSigner,
  newDeviceKeys,
  pinOf,
  publicOf,
  saveIdentity,
  storableKeys,
} from '../keys/device-keys.ts';
import { joinArchive } from '../keys/join-archive.ts';
import { makeArchive, storeArchiveKeys } from '../keys/make-archive.ts';
import { isSameIdentity, type KeySource, obtainIdentity } from '../keys/obtain-identity.ts';
import { type Connection, type ConnectionOptions, connect } from '../remote/connection.ts';
import { type Device, readDevice, writeDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { VERSION } from '../version.ts';
import { pinAuthority } from './pin-authority.ts';

/**
 * Enrolment makes this machine a device of a user and gives it the key to the user's archive.
 *
 * ```
 * pin the CA                                      pin-authority.ts
 * make the device's keys, enrol                   -> device.json without an archive
 * the user has no archive: make it, register, store keys and wraps, say ready
 * the user has one:        get the identity by key level, wrap it to this device
 * join the signed device list                     -> identity.age, device.json with the archive
 * ```
 * What was stopped half-way is gone on with by the same command.
 */
export type EnrolOptions = {
  readonly home: Home;
  readonly enrolment: Enrolment;
  readonly deviceName: string;
  readonly signUp: boolean;
  /** Asked only when they are needed: not when an enrolment that was stopped goes on. */
  readonly username: () => Promise<string>;
  readonly password: () => Promise<string>;
  readonly newPassword: NewPassword;
  readonly keySource: KeySource;
  readonly network: Omit<ConnectionOptions, 'device'>;
  readonly fillRandom: FillRandom;
  readonly onStep: (step: EnrolStep) => void;
  readonly signal?: AbortSignal;
};

/** A password of the user's own, for when the one that enrols is for one time. */
export type NewPassword = { readonly given: string | null; ask(): Promise<string> };

export type EnrolStep = 'pinned' | 'password set' | 'enrolled' | 'archive made' | 'archive opened';

export type Enrolled = { readonly device: Device; readonly context: DeviceContext; readonly connection: Connection };

export async function enrol(options: EnrolOptions): Promise<Enrolled> {
  const { home, network, onStep, signal } = options;
  const existing = readDevice(home);
  if (existing !== null && existing.archive !== null) {
    throw new AgentError('already_enrolled', { what: `It is "${existing.name}", a device of ${existing.user.name}` });
  }
  const device = existing ?? (await registerDevice(options));
  const connection = connect({ ...network, device });
  try {
    const context = await connection.context(signal);
    if (existing === null) onStep('enrolled');
    const { archive, identity, madeAt } = await archiveKeyFor(options, device, context, connection);
    const { time } = network;
    const endpoint = connection.endpoint(archive, null);
    await joinArchive({ home, device, endpoint, identity, madeAt, now: time.now, signal });
    const enrolled = { ...device, archive: pinOf(archive, identity) };
    dropIdentity(home, 'identity-next');
    writeDevice(home, enrolled); // last: as long as it is not there the same command goes on
    return { device: enrolled, context, connection };
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function registerDevice(options: EnrolOptions): Promise<Device> {
  const { home, enrolment, deviceName, signUp, network, fillRandom, onStep, signal } = options;
  const authority = await pinAuthority(enrolment, signal);
  onStep('pinned');
  const keys = await newDeviceKeys(fillRandom);
  const username = await options.username();
  const password = await options.password();
  const connection = connect({ ...network, device: { authority, credential: '' } });
  try {
    const { registrationKey } = enrolment;
    const body = {
      registrationKey,
      username,
      password,
      ...(signUp && { signUp }),
      device: { ...describeDevice(deviceName), ...provenKey(keys, registrationKey, username) },
    };
    const reply = await enrolWith(options, connection, body);
    const device: Device = {
      id: reply.device.id,
      guid: reply.device.guid,
      name: reply.device.name,
      credential: reply.credential,
      authority,
      user: { id: reply.user.id, name: reply.user.username },
      keys: storableKeys(keys),
      archive: null,
    };
    writeDevice(home, device);
    return device;
  } finally {
    connection.close();
  }
}

type EnrolBody = Input<(typeof enrolmentRoutes)['enrol']>['body'];

/**
 * A password for one time is replaced as the device is enrolled. Where the answer to that is lost, the old one comes again,
 * from another try or another run of the same command; then the new one is what gets in.
 */
async function enrolWith({ newPassword, onStep, signal }: EnrolOptions, { authority }: Connection, body: EnrolBody) {
  const call = (password: object) =>
    authority.call(enrolmentRoutes.enrol, { body: { ...body, ...password } }, signal ? { signal } : {});
  const replaced = async (error: unknown, password: string | null) => {
    if (codeOf(error) !== 'sign_in_failed' || password === null) throw error;
    return call({ password });
  };
  try {
    return await call({});
  } catch (error) {
    if (codeOf(error) !== 'password_change_required') return replaced(error, newPassword.given);
  }
  const own = newPassword.given ?? (await newPassword.ask());
  const reply = await call({ newPassword: own }).catch((error: unknown) => replaced(error, own));
  onStep('password set');
  return reply;
}

export const describeDevice = (name: string) => ({
  name,
  os: { platform: process.platform, release: release(), arch: arch() },
  version: VERSION,
});

function provenKey({ signing, recipient }: Identity, registrationKey: string, username: string) {
  const message = enrolmentProof(registrationKey, username, recipient);
  const proof = messageSigner(signing.seed)(message);
  return { publicKey: toHex(signing.publicKey), recipient, proof: toHex(proof) };
}

type OpenedArchive = {
  readonly archive: string;
  readonly identity: Identity;
  /** Set when this device made it. */
  readonly madeAt?: KeyLevel;
};

async function archiveKeyFor(
  options: EnrolOptions,
  device: Device,
  context: DeviceContext,
  connection: Connection,
): Promise<OpenedArchive> {
  const { archive } = context;
  if (archive.state === 'missing' || (archive.state === 'preparing' && archive.madeBy === device.id)) {
    const made = await makeFirstArchive(options, device, context, connection);
    if (made !== null) return made;
  }
  return openExistingArchive(options, device, await connection.context(options.signal), connection);
}

/** `null` when another device of the user was faster. */
async function makeFirstArchive(
  { home, fillRandom, network, onStep, signal }: EnrolOptions,
  device: Device,
  { user, server }: DeviceContext,
  { authority, endpoint }: Connection,
): Promise<OpenedArchive | null> {
  const made = await makeArchive(fillRandom);
  const { identity, keys } = made;
  const archive = toHex(keys.archiveId);
  const own = device.keys.recipient;
  // Kept before anybody hears of it: an enrolment that stops after this goes on with it
  await saveIdentity(home, identity, own, 'identity-next');
  const body = { archive, recipient: identity.recipient, signingKey: toHex(identity.signing.publicKey) };
  const options = signal ? { signal } : {};
  try {
    await authority.call(deviceRoutes.registerArchive, { body }, options);
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'archive_exists') return null;
    throw error;
  }
  const recipients = { level: user.keyLevel, device: own, escrow: server.escrowRecipient };
  await storeArchiveKeys(endpoint(archive, null), made, recipients, network.time.now(), signal);
  await authority.call(deviceRoutes.archiveReady, {}, options);
  onStep('archive made');
  return { archive, identity, madeAt: user.keyLevel };
}

async function openExistingArchive(
  { home, keySource, onStep, signal }: EnrolOptions,
  device: Device,
  { user, archive }: DeviceContext,
  { authority, endpoint }: Connection,
): Promise<OpenedArchive> {
  const { id, recipient, signingKey } = archive;
  if (id === null || recipient === null || signingKey === null) throw new ProtocolError('archive_missing');
  if (archive.state !== 'ready') throw new ProtocolError('archive_not_ready');
  const known = publicOf({ recipient, signingKey });
  const isKnown = (kept: Identity | null): kept is Identity =>
    kept !== null && isSameIdentity(publicIdentity(kept), known);
  const made = await loadIdentity(home, device, 'identity-next');
  if (isKnown(made)) return { archive: id, identity: made, madeAt: user.keyLevel };
  const kept = await loadIdentity(home, device);
  const identity = isKnown(kept)
    ? kept
    : await obtainIdentity(keySource, {
        level: user.keyLevel,
        known,
        authority,
        endpoint: endpoint(id, null),
        deviceAgeKey: device.keys.age,
        ...(signal && { signal }),
      });
  onStep('archive opened');
  return { archive: id, identity };
}
