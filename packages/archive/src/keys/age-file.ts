// Age files for one recipient, hybrid only (format §2.2), or for one passphrase (format §2.5). The header
// is judged before it is opened: the age library would accept any mix of recipients.

import { Decrypter, Encrypter } from 'age-encryption';
import { ArchiveError, type ArchiveErrorCode, invalid } from '../errors.ts';
import {
  checkPassphraseWork,
  HYBRID_STANZA,
  isHybridRecipient,
  PASSPHRASE_STANZA,
  readAgeStanzas,
  SCRYPT_LOG_N,
  type Stanza,
} from '../format/age-header.ts';

/** No file of ours is near it; it bounds what a hostile store can make a reader open. */
const MAX_FILE = 65_536;

export async function sealToRecipient(plaintext: Uint8Array, recipient: string): Promise<Uint8Array> {
  if (!isHybridRecipient(recipient)) throw new ArchiveError('recipient_not_hybrid');
  const encrypter = new Encrypter();
  try {
    encrypter.addRecipient(recipient);
  } catch (cause) {
    throw new ArchiveError('recipient_not_hybrid', { detail: 'the recipient is damaged' }, { cause });
  }
  return encrypter.encrypt(plaintext);
}

export async function sealToPassphrase(plaintext: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(normalized(passphrase));
  encrypter.setScryptWorkFactor(SCRYPT_LOG_N);
  return encrypter.encrypt(plaintext);
}

/** `wrongKey` is the code for a file that is whole but not for this key. */
export async function openWithIdentity(
  file: Uint8Array,
  ageIdentity: string,
  wrongKey: ArchiveErrorCode,
): Promise<Uint8Array> {
  const types = stanzasOf(file).map(({ type }) => type);
  if (types.some((type) => type !== HYBRID_STANZA)) throw new ArchiveError('recipient_not_hybrid');
  if (types.length > 1) throw invalid('age file', `it is for ${types.length} recipients`);
  return open(file, wrongKey, (decrypter) => decrypter.addIdentity(ageIdentity));
}

export async function openWithPassphrase(file: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const stanzas = stanzasOf(file);
  if (stanzas.map(({ type }) => type).join() !== PASSPHRASE_STANZA)
    throw invalid('age file', 'it is not for a password alone');
  checkPassphraseWork(stanzas);
  return open(file, 'passphrase_wrong', (decrypter) => decrypter.addPassphrase(normalized(passphrase)));
}

/** The same password typed on another system must give the same bytes. */
const normalized = (passphrase: string): string => passphrase.normalize('NFC');

function stanzasOf(file: Uint8Array): Stanza[] {
  if (file.length > MAX_FILE) throw invalid('age file', `${file.length} bytes are too many`);
  const stanzas = readAgeStanzas(file);
  if (stanzas.length === 0) throw invalid('age file', 'it has no recipient');
  return stanzas;
}

async function open(
  file: Uint8Array,
  wrongKey: ArchiveErrorCode,
  unlock: (decrypter: Decrypter) => void,
): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  try {
    unlock(decrypter);
    return await decrypter.decrypt(file);
  } catch (cause) {
    if (cause instanceof Error && cause.message.startsWith('no identity matched'))
      throw new ArchiveError(wrongKey, {}, { cause });
    throw new ArchiveError('format_invalid', { record: 'age file', detail: 'it is damaged' }, { cause });
  }
}
