import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';
import { CODES } from '@holdfast/archive/errors.ts';
import type { SkipReason } from '@holdfast/archive/restore/report.ts';

/**
 * Codes of the engine and of the system, as a person is told them; programs get the codes. What has no words of its own here
 * has them elsewhere: a code of an error is the first sentence of its advice, a code of the system is the system's message.
 */
const WORDS = {
  exists: 'something of this name is there and stays as it is',
  in_the_way: 'a folder that is not empty is in its place',
  name: 'such a name is not allowed here',
  not_in_snapshot: 'the snapshot does not hold it',
  type: 'this type of file cannot be made here, or not without more rights',
  failed: 'the system refused',
  hard_link: 'as a file of its own, not as a hard link',
  owner: 'without its owner',
  setuid: 'without its setuid and setgid bits',
  mode: 'without its mode',
  times: 'without its exact time',
  xattrs: 'without some extended attributes',
  vanished: 'it vanished while it was read',
  'unknown type': 'a type of file that is not known',
  'attribute too long': 'without an attribute that is too long',
} as const satisfies Readonly<Record<SkipReason, string>> & Readonly<Record<string, string>>;

/** What has no words at all, a message already or a code of a newer program, stays as it is. */
export const inWords = (code: string): string =>
  wordsOf(WORDS, code) ?? adviceOf(code)?.sentence ?? system(code) ?? code;

/** With what to do about it, where somebody can do something. */
export const inFull = (code: string): string => adviceOf(code)?.all ?? inWords(code);

/** Why an entry was left out of a backup or a restore. */
export function reasonInWords(reason: string, detail = ''): string {
  if (reason === 'failed' && detail !== '') return inWords(detail);
  const attributes = /^attributes: (.*)$/.exec(reason)?.[1];
  if (attributes !== undefined) return `without its attributes: ${inWords(attributes)}`;
  return inWords(reason);
}

function adviceOf(code: string): { readonly sentence: string; readonly all: string } | undefined {
  const all = wordsOf(CODES, code);
  if (all === undefined) return undefined;
  const sentence = /^.*?(?=[.;:](?:\s|$))/.exec(all)?.[0] ?? all;
  return { sentence: `${sentence[0]?.toLowerCase()}${sentence.slice(1)}`, all };
}

function system(code: string): string | undefined {
  const number = wordsOf(constants.errno, code);
  return number === undefined ? undefined : getSystemErrorMessage(-number);
}

const wordsOf = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;
