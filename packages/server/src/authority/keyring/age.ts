import { checkPassphraseWork, readAgeStanzas, SCRYPT_LOG_N } from '@holdfast/archive/format/age-header.ts';
import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from 'age-encryption';

/**
 * Age files, as far as the server makes or opens any. Hybrid keys only (format §2.2). No other folder of the server
 * imports the library, so what the server can open is what stands here and in the callers of `keyring/`.
 */

export type AgeKey = { readonly identity: string; readonly recipient: string };

export async function newAgeKey(): Promise<AgeKey> {
  const identity = await generateHybridIdentity();
  return { identity, recipient: await identityToRecipient(identity) };
}

export const recipientOf = (identity: string): Promise<string> => identityToRecipient(identity);

function encrypterTo(recipient: string): Encrypter {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  return encrypter;
}

function decrypterWith(identity: string): Decrypter {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return decrypter;
}

export const sealTo = (recipient: string, bytes: Uint8Array): Promise<Uint8Array> =>
  encrypterTo(recipient).encrypt(bytes);

export const sealStreamTo = (
  recipient: string,
  bytes: ReadableStream<Uint8Array>,
): Promise<ReadableStream<Uint8Array>> => encrypterTo(recipient).encrypt(bytes);

export const openWith = (identity: string, file: Uint8Array): Promise<Uint8Array> =>
  decrypterWith(identity).decrypt(file);

export const openStreamWith = (
  identity: string,
  file: ReadableStream<Uint8Array>,
): Promise<ReadableStream<Uint8Array>> => decrypterWith(identity).decrypt(file);

export async function sealWithPassphrase(
  passphrase: string,
  bytes: Uint8Array,
  scryptWork: number = SCRYPT_LOG_N,
): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(scryptWork);
  return encrypter.encrypt(bytes);
}

export async function openWithPassphrase(passphrase: string, file: Uint8Array): Promise<Uint8Array> {
  checkPassphraseWork(readAgeStanzas(file));
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  return decrypter.decrypt(file);
}
