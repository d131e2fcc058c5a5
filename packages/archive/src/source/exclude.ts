// What a backup leaves out. A glob is matched against whole paths with `/` between names:
//
//   *.tmp                 every entry of such a name, wherever it is (no `/`, or only at the end: a name)
//   cache/                every directory of that name, with all below it
//   /home/*/Downloads     exactly that depth (it begins at the root; on Windows `C:/...`)
//   project/build         that path below any directory
//   **                    any number of directories, also none; `*` and `?` never cross a `/`; `[a-z]` and `[!a-z]` as in a shell
//
// Names that are no valid UTF-8 are matched with U+FFFD in place of what cannot be read.

import type { Exclusions } from './source.ts';

/** `path` is absolute; for a directory without its `/` at the end. */
export type Excludes = (path: Uint8Array, directory: boolean) => boolean;

export function compileExclusions(exclusions: Exclusions): Excludes {
  const sources = [...(exclusions.globs ?? []).map(globSource), ...(exclusions.patterns ?? [])];
  const flags = exclusions.ignoreCase ? 'iu' : 'u';
  const pattern = sources.length === 0 ? null : new RegExp(sources.map((source) => `(?:${source})`).join('|'), flags);
  const paths = new Set((exclusions.paths ?? []).map(latin1));
  const lengths = new Set([...paths].map((path) => path.length));
  return (path, directory) => {
    if (lengths.has(path.length) && paths.has(latin1(path))) return true;
    return pattern?.test(directory ? `${utf8(path)}/` : utf8(path)) ?? false;
  };
}

const buffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const latin1 = (path: Uint8Array) => buffer(path).toString('latin1');
const utf8 = (path: Uint8Array) => buffer(path).toString('utf8');

/** The source of a regular expression that matches whole paths, a directory's with `/` at its end. */
export function globSource(glob: string): string {
  const directory = glob.endsWith('/');
  const body = directory ? glob.slice(0, -1) : glob;
  const rooted = body.startsWith('/') || /^[A-Za-z]:\//.test(body);
  let source = rooted ? '^' : '(?:^|/)';
  for (let at = 0; at < body.length; ) {
    const [piece, length] = translate(body, at);
    source += piece;
    at += length;
  }
  return `${source}${directory ? '/$' : '/?$'}`;
}

/** One piece of a glob as a regular expression, and how many characters it takes. */
function translate(glob: string, at: number): [source: string, length: number] {
  if (glob.startsWith('**/', at)) return ['(?:[^/]+/)*', 3];
  if (glob.startsWith('**', at)) return ['.*', 2];
  const character = String.fromCodePoint(glob.codePointAt(at) as number);
  if (character === '*') return ['[^/]*', 1];
  if (character === '?') return ['[^/]', 1];
  return (character === '[' && characterSet(glob, at)) || [literal(character), character.length];
}

/** `[a-z]` or `[!a-z]`; a `[` that nothing closes stands for itself. */
function characterSet(glob: string, at: number): [source: string, length: number] | null {
  const negated = glob[at + 1] === '!' || glob[at + 1] === '^';
  const from = at + (negated ? 2 : 1);
  const end = glob.indexOf(']', from + 1);
  if (end < 0) return null;
  return [`(?!/)[${negated ? '^' : ''}${literal(glob.slice(from, end))}]`, end + 1 - at];
}

/** Only what has a meaning in an expression may be escaped in one with the flag `u`. */
const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
