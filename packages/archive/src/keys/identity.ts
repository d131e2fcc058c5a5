// An identity (format §2.2) is an age hybrid key, which opens, and an Ed25519 key, which vouches. A user
// has one; each device has a pair of the same make. The text form is what a user exports and keeps.

import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { ArchiveError } from '../errors.ts';
import { fromHex, toHex } from '../format/ids.ts';
import { SEED_LENGTH, type SigningKey, signingKey } from './signing.ts';

export type Identity = {
  /** `AGE-SECRET-KEY-PQ-1...`, secret. */
  readonly ageIdentity: string;
  readonly signing: SigningKey;
  /** `age1pq1...` */
  readonly recipient: string;
};

/** A device's own pair: its public half stands in the device list (format §2.6), snapshots are signed with it. */
export type DeviceKeys = Identity;

/** What others may know. */
export type PublicIdentity = { readonly recipient: string; readonly publicKey: Uint8Array };

const TITLE = '# holdfast identity 1';
const AGE_PREFIX = 'AGE-SECRET-KEY-PQ-1';
const SIGN_PREFIX = 'HOLDFAST-SIGN-KEY-';

export const publicIdentity = ({ recipient, signing }: Identity): PublicIdentity => ({
  recipient,
  publicKey: signing.publicKey,
});

/** `fillRandom` makes the Ed25519 seed; the age library makes its own key. */
export async function generateIdentity(fillRandom: (target: Uint8Array) => unknown): Promise<Identity> {
  const seed = new Uint8Array(SEED_LENGTH);
  fillRandom(seed);
  return identityOf(await generateHybridIdentity(), seed);
}

export const generateDeviceKeys: (fillRandom: (target: Uint8Array) => unknown) => Promise<DeviceKeys> =
  generateIdentity;

async function identityOf(ageIdentity: string, seed: Uint8Array): Promise<Identity> {
  return { ageIdentity, signing: await signingKey(seed), recipient: await recipientOf(ageIdentity) };
}

async function recipientOf(ageIdentity: string): Promise<string> {
  try {
    return await identityToRecipient(ageIdentity);
  } catch (cause) {
    throw new ArchiveError('identity_invalid', { detail: 'the age key is damaged' }, { cause });
  }
}

export function formatIdentity({ ageIdentity, signing }: Identity): string {
  return `${TITLE}\n${ageIdentity}\n${SIGN_PREFIX}${toHex(signing.seed)}\n`;
}

/** Takes what editors do to line ends and blank lines; anything else that is no item or comment is refused. */
export async function parseIdentity(text: string): Promise<Identity> {
  const items = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const ageIdentity = items.filter((item) => item.startsWith(AGE_PREFIX));
  const seed = items.filter((item) => item.startsWith(SIGN_PREFIX));
  if (items.length !== 2 || ageIdentity.length !== 1 || seed.length !== 1)
    throw new ArchiveError('identity_invalid', { detail: 'one hybrid age key and one signing key were expected' });
  return identityOf(ageIdentity[0] as string, parseSeed((seed[0] as string).slice(SIGN_PREFIX.length)));
}

function parseSeed(hex: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw new ArchiveError('identity_invalid', { detail: 'the signing key is not 64 lower-case hex digits' });
  return fromHex(hex);
}
