import { createPrivateKey, sign } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { fromHex, toHex } from '@holdfast/archive/format/ids.ts';
import { generateDeviceKeys, type Identity, type PublicIdentity } from '@holdfast/archive/keys/identity.ts';
import { type SigningKey, signingKey } from '@holdfast/archive/keys/signing.ts';
import { unwrapIdentity, wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { AgentError } from '../errors.ts';
import { writeAtomic } from '../state/atomic-file.ts';
import { type ArchivePin, type Device, type EnrolledDevice, writeDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';

/**
 * The keys on this device. The *device's pair* signs snapshots and opens what is wrapped to the device; the *user's
 * identity* opens the archive and lies in `state/identity.age`, wrapped to the device.
 */
export type FillRandom = (target: Uint8Array) => unknown;

export const newDeviceKeys = (fillRandom: FillRandom): Promise<Identity> => generateDeviceKeys(fillRandom);

export const storableKeys = ({ ageIdentity, recipient, signing }: Identity): Device['keys'] => ({
  age: ageIdentity,
  recipient,
  seed: toHex(signing.seed),
});

export const deviceSigningKey = ({ keys }: Pick<Device, 'keys'>): Promise<SigningKey> => signingKey(fromHex(keys.seed));

/** RFC 8410: what stands before the seed in a PKCS #8 file. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Signs whole messages, their label included. */
export function messageSigner(seed: Uint8Array): (message: Uint8Array) => Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' });
  return (message) => sign(null, message, key);
}

/** `identity-next.age` is the one that a renewal is about to introduce. */
export type IdentitySlot = 'identity' | 'identity-next';

const pathOf = (home: Home, slot: IdentitySlot) => join(home.state, `${slot}.age`);

export async function saveIdentity(
  home: Home,
  identity: Identity,
  deviceRecipient: string,
  slot: IdentitySlot = 'identity',
) {
  writeAtomic(pathOf(home, slot), await wrapIdentity(identity, { recipient: deviceRecipient }));
}

export async function loadIdentity(
  home: Home,
  device: Device,
  slot: IdentitySlot = 'identity',
): Promise<Identity | null> {
  const path = pathOf(home, slot);
  if (!existsSync(path)) return null;
  return unwrapIdentity(readFileSync(path), { ageIdentity: device.keys.age });
}

export const dropIdentity = (home: Home, slot: IdentitySlot): void => rmSync(pathOf(home, slot), { force: true });

/** The identity that this device has accepted; another file in its place is refused. */
export async function requireIdentity(home: Home, device: EnrolledDevice): Promise<Identity> {
  const current = await loadIdentity(home, device);
  if (current !== null && isPinned(current, device)) return current;
  const next = await loadIdentity(home, device, 'identity-next');
  if (next !== null && isPinned(next, device)) {
    // A crash while it was taken over: ended here, before a renewal puts another one into that slot
    await settleIdentity(home, device, next);
    return next;
  }
  throw current === null ? new AgentError('identity_missing') : new ArchiveError('identity_changed');
}

const isPinned = ({ recipient, signing }: Identity, { archive }: EnrolledDevice): boolean =>
  recipient === archive.recipient && toHex(signing.publicKey) === archive.signingKey;

/** Makes another identity the accepted one. Whenever it is killed, one of the two files fits the pin. */
export async function takeOverIdentity(home: Home, device: EnrolledDevice, identity: Identity): Promise<void> {
  const { recipient } = device.keys;
  await saveIdentity(home, identity, recipient, 'identity-next');
  writeDevice(home, { ...device, archive: pinOf(device.archive.id, identity) });
  await settleIdentity(home, device, identity);
}

async function settleIdentity(home: Home, { keys }: EnrolledDevice, identity: Identity): Promise<void> {
  await saveIdentity(home, identity, keys.recipient);
  dropIdentity(home, 'identity-next');
}

export const publicOf = ({
  recipient,
  signingKey: key,
}: Pick<ArchivePin, 'recipient' | 'signingKey'>): PublicIdentity => ({
  recipient,
  publicKey: fromHex(key),
});

export const pinOf = (archive: string, identity: Identity): ArchivePin => ({
  id: archive,
  recipient: identity.recipient,
  signingKey: toHex(identity.signing.publicKey),
});
