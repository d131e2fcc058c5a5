import { join, resolve } from 'node:path';
import type { Config } from '../config.ts';

/**
 * Paths of a person and paths of a snapshot. In a snapshot everything lies below one root, names joined by `/`, no slash in
 * front; on Windows the drive is the first name.
 */
export function snapshotPath(
  typed: string,
  cwd: string,
  { userHome, platform }: Pick<Config, 'userHome' | 'platform'>,
): string {
  const expanded = typed === '~' || typed.startsWith('~/') ? join(userHome, typed.slice(1)) : typed;
  const absolute = resolve(cwd, expanded);
  const slashed = platform === 'win32' ? absolute.replaceAll('\\', '/') : absolute;
  return slashed.replace(/^\/+/, '').replace(/\/+$/, '');
}

/** The deepest folder that holds all of them, and what is left of each. One path alone lies in its parent. */
export function commonParent(paths: readonly string[]): { readonly parent: string; readonly rest: readonly string[] } {
  const parts = paths.map((path) => path.split('/'));
  const [first = []] = parts;
  let depth = 0;
  while (parts.every((names) => names.length > depth + 1 && names[depth] === first[depth])) depth++;
  return { parent: first.slice(0, depth).join('/'), rest: parts.map((names) => names.slice(depth).join('/')) };
}
