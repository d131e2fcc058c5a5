/** User identities and their wraps (format §2.2, §2.5), and the rule about what age files may ask for. */
import { createHash } from 'node:crypto';
import { Decrypter, identityToRecipient } from 'age-encryption';
import { demand, Refusal } from './refusal.ts';
import { publicKeyOfSeed } from './statement.ts';

export interface Identity {
  /** `AGE-SECRET-KEY-PQ-1...` */
  readonly age: string;
  /** `age1pq1...` */
  readonly recipient: string;
  readonly publicKey: Buffer;
}

const AGE_LINE = /^AGE-SECRET-KEY-PQ-1[0-9A-Z]+$/;
const SIGN_LINE = /^HOLDFAST-SIGN-KEY-([0-9a-f]{64})$/;
const HYBRID = 'mlkem768x25519';

export async function parseIdentity(file: string): Promise<Identity> {
  demand(file.endsWith('\n'), 'malformed', 'an identity file whose last line has no end');
  const lines = file.slice(0, -1).split('\n');
  const items = lines.filter((line) => !line.startsWith('#'));
  const age = items.filter((line) => AGE_LINE.test(line));
  const seeds = items.flatMap((line) => SIGN_LINE.exec(line)?.[1] ?? []);
  const complete = items.length === 2 && age.length === 1 && seeds.length === 1;
  demand(complete, 'malformed', 'an identity file holds one age identity and one signing key');
  const recipient = await identityToRecipient(age[0]!);
  return { age: age[0]!, recipient, publicKey: publicKeyOfSeed(Buffer.from(seeds[0]!, 'hex')) };
}

/** The file name of what is sealed to a recipient: the first 16 bytes of the hash of its text (format §7). */
export const nameOfRecipient = (recipient: string): string =>
  createHash('sha256').update(recipient, 'ascii').digest('hex').slice(0, 32);

/** The types of an age file's stanzas, as its header tells them before anything is opened. */
export function stanzaTypes(file: Buffer): string[] {
  const end = file.indexOf('\n---');
  demand(end >= 0, 'malformed', 'an age file without the end of its header');
  const [first, ...lines] = file.subarray(0, end).toString('latin1').split('\n');
  demand(first === 'age-encryption.org/v1', 'unknown_version', 'not an age file of version 1');
  return lines.filter((line) => line.startsWith('-> ')).map((line) => line.split(' ')[1] ?? '');
}

async function decrypt(file: Buffer, decrypter: Decrypter): Promise<Buffer> {
  try {
    return Buffer.from(await decrypter.decrypt(file));
  } catch (cause) {
    throw new Refusal('wrong_recipient', 'the age file does not open', { cause });
  }
}

/** Opens an age file for one hybrid recipient; any other stanza beside it is refused. */
export function openHybrid(file: Buffer, ageIdentity: string): Promise<Buffer> {
  const types = stanzaTypes(file);
  demand(types.join() === HYBRID, 'wrong_recipient', `an age file for ${types.join(', ')}`);
  const decrypter = new Decrypter();
  decrypter.addIdentity(ageIdentity);
  return decrypt(file, decrypter);
}

export async function openDeviceWrap(file: Buffer, deviceAge: string): Promise<Identity> {
  return parseIdentity((await openHybrid(file, deviceAge)).toString());
}

export async function openPassphraseWrap(file: Buffer, passphrase: string): Promise<Identity> {
  const types = stanzaTypes(file);
  demand(types.join() === 'scrypt', 'wrong_recipient', `a passphrase wrap for ${types.join(', ')}`);
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase.normalize('NFC'));
  return parseIdentity((await decrypt(file, decrypter)).toString());
}
