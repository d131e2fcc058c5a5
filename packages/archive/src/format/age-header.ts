// The recipient stanzas of an age file (https://age-encryption.org/v1), read without opening it: format
// §2.2 refuses a key file with any stanza that is not hybrid, which the age library would accept.

import { invalid } from '../errors.ts';

export const HYBRID_STANZA = 'mlkem768x25519';
export const PASSPHRASE_STANZA = 'scrypt';

const VERSION_LINE = 'age-encryption.org/v1';
/** A hybrid stanza takes about 1.6 kB; no file of ours has more than one. */
const MAX_HEADER = 65_536;
const NEWLINE = 0x0a;

/** N = 2^18 (format §2.5): the cost of one guess at a passphrase, a second and 256 MiB. */
export const SCRYPT_LOG_N = 18;

export type Stanza = { readonly type: string; readonly arguments: readonly string[] };

export function readAgeStanzas(file: Uint8Array): Stanza[] {
  const header = file.subarray(0, MAX_HEADER);
  const stanzas: Stanza[] = [];
  let at = 0;
  const line = (): string => {
    const end = header.indexOf(NEWLINE, at);
    if (end < 0) throw invalid('age file', 'its header does not end');
    const text = String.fromCharCode(...header.subarray(at, Math.min(end, at + 4096)));
    at = end + 1;
    return text;
  };
  if (line() !== VERSION_LINE) throw invalid('age file', 'it does not begin like one');
  for (let text = line(); !text.startsWith('---'); text = line()) {
    if (!text.startsWith('->')) continue;
    const [type = '', ...rest] = text.slice(2).trim().split(' ');
    stanzas.push({ type, arguments: rest });
  }
  return stanzas;
}

/**
 * Refuses a file that asks whoever opens it for more work than ours do: each step doubles time and memory, and the age library
 * goes along up to 1 GiB.
 */
export function checkPassphraseWork(stanzas: readonly Stanza[]): void {
  for (const {
    type,
    arguments: [, work = ''],
  } of stanzas) {
    if (type === PASSPHRASE_STANZA && !(/^[0-9]{1,2}$/.test(work) && Number(work) <= SCRYPT_LOG_N))
      throw invalid('age file', `a passphrase of work 2^${work} is more than 2^${SCRYPT_LOG_N}`);
  }
}

const BECH32 = '[qpzry9x8gf2tvdw0s3jn54khce6mua7l]';
/** 1,216 bytes of key in groups of five bits, and a checksum of six. */
const HYBRID_RECIPIENT = new RegExp(`^age1pq1${BECH32}{1952}$`);

/** Has the form of a hybrid recipient; age checks the sum when it is used. */
export const isHybridRecipient = (text: string): boolean => HYBRID_RECIPIENT.test(text);
