import { createHash } from 'node:crypto';
import { concatBytes } from '@holdfast/archive/format/bytes.ts';
import type { PublicIdentity } from '@holdfast/archive/keys/identity.ts';
import { entropyToMnemonic, validateMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { AgentError } from '../errors.ts';

/**
 * The words that two devices of one user show while one gives the other the key (docs/protocol.md §4). They name all that a server
 * between the two could exchange: equal words mean that both see the same archive, the same identity and the same keys of
 * the new device.
 */
export type Introduction = {
  readonly archiveId: Uint8Array;
  /** The user's, as this side knows it. */
  readonly identity: PublicIdentity;
  /** The device that asks. */
  readonly device: { readonly id: Uint8Array; readonly publicKey: Uint8Array; readonly recipient: string };
  /** 32 random bytes that the asking device chose after it was told the identity: nobody can prepare an identity for them. */
  readonly nonce: Uint8Array;
};

const LABEL = new TextEncoder().encode('holdfast device words 1\0');
/** 12 words: 128 bits and 4 of a check. */
const ENTROPY_BYTES = 16;

export function deviceWords({ archiveId, identity, device, nonce }: Introduction): string {
  const parts = [
    archiveId,
    identity.publicKey,
    sha256(new TextEncoder().encode(identity.recipient)),
    device.id,
    device.publicKey,
    sha256(new TextEncoder().encode(device.recipient)),
    nonce,
  ];
  return entropyToMnemonic(sha256(concatBytes(LABEL, ...parts)).subarray(0, ENTROPY_BYTES), wordlist);
}

/** Whether these are the words that a person typed: any case, any white space, numbers in front. */
export function sameWords(words: string, typed: string): boolean {
  const plain = (typed.toLowerCase().match(/[a-z]+/g) ?? []).join(' ');
  if (!validateMnemonic(plain, wordlist)) throw new AgentError('words_invalid');
  return plain === words;
}

/** In rows of four, numbered. */
export function wordRows(words: string): string[] {
  const cells = words.split(' ').map((word, i) => `${String(i + 1).padStart(2)} ${word.padEnd(9)}`);
  return [0, 4, 8].map((from) =>
    cells
      .slice(from, from + 4)
      .join(' ')
      .trimEnd(),
  );
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
