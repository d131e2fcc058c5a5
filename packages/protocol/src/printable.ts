/**
 * What a terminal may be shown of texts that others have chosen: names in an archive or on a disk, of devices, in messages of
 * a server. Control characters could move the cursor, recolour or forge lines, and bidirectional overrides make a name look
 * like another, so both are shown as escapes. Applying it twice changes nothing. The agent's `Output` and bar and the server's
 * `print` do it for every line, so that no command has to remember; bytes that are no UTF-8 are escaped where they become text.
 */

/** Controls of ASCII and Latin-1, the two separators that count as ends of lines, embeddings, overrides and isolates. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

export const printable = (text: string): string =>
  text.replace(UNSAFE, (character) => SHORT[character] ?? escapeOf(character.charCodeAt(0)));

/** The same for a text of several lines of ours. */
export const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');

/** JSON that says the same to a program and does nothing to a terminal: `JSON.stringify` leaves half of these as they are. */
export const printableJson = (json: string): string =>
  json.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

const escapeOf = (code: number): string =>
  code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
