import { entropyToMnemonic, validateMnemonic } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';

/**
 * The words of a recovery kit: 12 of the 2,048 of BIP 39, 128 random bits and a check of 4, so a slip of the pen is
 * found before a file is tried. Joined by single spaces they are the kit's age passphrase.
 */
export const WORD_COUNT = 12;
const ENTROPY_BYTES = 16;

export const newWords = (random: (length: number) => Uint8Array): string =>
  entropyToMnemonic(random(ENTROPY_BYTES), wordlist);

/** As typed by a person: any case, any white space, numbers in front of the words. `null` when they cannot be right. */
export function normalizeWords(typed: string): string | null {
  const words = typed.toLowerCase().match(/[a-z]+/g) ?? [];
  const joined = words.join(' ');
  return validateMnemonic(joined, wordlist) ? joined : null;
}

/** In rows of four, numbered, to be copied by hand. */
export function showWords(words: string): string {
  const cells = words.split(' ').map((word, i) => `${String(i + 1).padStart(2)} ${word.padEnd(9)}`);
  const rows = Array.from({ length: Math.ceil(cells.length / 4) }, (_, i) => cells.slice(i * 4, i * 4 + 4));
  return rows.map((row) => `    ${row.join(' ').trimEnd()}`).join('\n');
}
