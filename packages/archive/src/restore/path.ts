/**
 * Paths inside a snapshot: names (bytes) joined by `/`, relative to a tree, never decoded. `home/ada` and `/home/ada` mean the same.
 */
import { invalid } from '../errors.ts';
import { problemOfName } from '../format/tree-entry.ts';

const SLASH = 0x2f;

export type PathLike = string | Uint8Array;

/** The names along a path. `''` and `/` have none. */
export function namesOf(path: PathLike): Uint8Array[] {
  const bytes = typeof path === 'string' ? new TextEncoder().encode(path) : path;
  const names: Uint8Array[] = [];
  for (let at = 0; at <= bytes.length; ) {
    const slash = bytes.indexOf(SLASH, at);
    const end = slash < 0 ? bytes.length : slash;
    if (end > at) names.push(checkedName(bytes.subarray(at, end)));
    at = end + 1;
  }
  return names;
}

/** Decoding refuses such names already; whoever makes a path of them checks again, since a path that escapes is the worst that can happen. */
export function checkedName(name: Uint8Array): Uint8Array {
  const problem = problemOfName(name);
  if (problem !== null) throw invalid('name', problem);
  return name;
}

export function joinPath(parent: Uint8Array, name: Uint8Array): Uint8Array {
  if (parent.length === 0) return name;
  const joined = new Uint8Array(parent.length + 1 + name.length);
  joined.set(parent);
  joined[parent.length] = SLASH;
  joined.set(name, parent.length + 1);
  return joined;
}

/** One character per byte: equal exactly when the names are. For keys of maps, not for people. */
export function nameKey(name: Uint8Array): string {
  let key = '';
  for (let i = 0; i < name.length; i++) key += String.fromCharCode(name[i] as number);
  return key;
}
