/**
 * Paths as bytes: absolute, `/` between names, none at the end; the root is `/` (on Windows the drives are the first names,
 * as in format §5.1, and the root is empty).
 */

const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const WINDOWS = process.platform === 'win32';

export const ROOT: Buffer = Buffer.from(WINDOWS ? '' : '/');

export function joinPath(directory: Uint8Array, name: Uint8Array): Buffer {
  const bare = directory.length === 0 || (directory.length === 1 && directory[0] === SLASH);
  const head = bare ? (WINDOWS ? 0 : 1) : directory.length + 1;
  const path = Buffer.allocUnsafe(head + name.length);
  if (!bare) path.set(directory);
  if (head > 0) path[head - 1] = SLASH;
  path.set(name, head);
  return path;
}

/** The names of a path, in order. */
export function componentsOf(path: Uint8Array): Buffer[] {
  const names: Buffer[] = [];
  let from = 0;
  for (let at = 0; at <= path.length; at++) {
    const ends = at === path.length || path[at] === SLASH || (WINDOWS && path[at] === BACKSLASH);
    if (!ends) continue;
    if (at > from) names.push(Buffer.from(path.subarray(from, at)));
    from = at + 1;
  }
  return names;
}

/** A path from the names, as the system wants it. */
export function pathOf(names: readonly Uint8Array[]): Buffer {
  let path: Buffer = ROOT;
  for (const name of names) path = joinPath(path, name);
  return path;
}

export function parentOf(path: Buffer): Buffer {
  const at = path.lastIndexOf(SLASH);
  if (at > 0) return path.subarray(0, at);
  return ROOT;
}

export function nameOf(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(SLASH) + 1);
}

/** Is `path` the same as `directory` or below it? */
export function isWithin(path: Buffer, directory: Buffer): boolean {
  if (directory.equals(ROOT)) return true;
  if (path.length < directory.length || directory.compare(path, 0, directory.length) !== 0) return false;
  return path.length === directory.length || path[directory.length] === SLASH;
}

/** Normal form, sorted, without those that lie below another. */
export function normalizeRoots(roots: readonly Uint8Array[]): Buffer[] {
  const paths = roots.map((root) => pathOf(componentsOf(root))).sort(Buffer.compare);
  return paths.filter(
    (path, i) => !paths.some((other, k) => (k < i || !other.equals(path)) && k !== i && isWithin(path, other)),
  );
}

/** For people: what is no valid UTF-8 shows as `\xNN`. */
export function showPath(path: Uint8Array): string {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return text;
  return bytes.toString('latin1').replace(/[\x80-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
}
