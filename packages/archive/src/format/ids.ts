// Ids are bytes everywhere inside; hex only where a name or JSON needs text.

import { invalid } from '../errors.ts';

export const ID_LENGTH = 32;
export const FILE_ID_LENGTH = 16;
export const ARCHIVE_ID_LENGTH = 16;

export const toHex = (bytes: Uint8Array): string => bytes.toHex();

/** Lower-case hex of whole bytes; anything else is refused, so that one id has one name. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw invalid('hex', 'not lower-case hex digits');
  return Uint8Array.fromHex(text);
}

/** Bytewise order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/** Are the `count` ids from `at` on strictly ascending, as format §3.1 asks of links? */
export function idsAscend(bytes: Uint8Array, at = 0, count = (bytes.length - at) / ID_LENGTH): boolean {
  for (let i = 1; i < count; i++) {
    const here = at + i * ID_LENGTH;
    let k = 0;
    while (k < ID_LENGTH && bytes[here + k] === bytes[here - ID_LENGTH + k]) k++;
    if (k === ID_LENGTH || (bytes[here + k] as number) < (bytes[here - ID_LENGTH + k] as number)) return false;
  }
  return true;
}
