import { lstatSync, realpathSync } from 'node:fs';
import type { Config } from '../config.ts';
import { codeOf } from '../errors.ts';
import { expandRoots } from './backup-set.ts';

/**
 * What a person may not have meant by a root, looked at when it is selected. Nothing of it is refused: a drive may come later,
 * and somebody may want the link itself.
 */
export type RootDoubt =
  | { readonly kind: 'missing'; readonly root: string; readonly path: string }
  /** `target` is what should be selected instead. */
  | { readonly kind: 'link'; readonly root: string; readonly path: string; readonly target: string }
  | { readonly kind: 'dangling'; readonly root: string; readonly path: string };

export function doubtsAbout(
  roots: readonly string[],
  config: Pick<Config, 'root' | 'userHome' | 'platform'>,
): RootDoubt[] {
  return roots.flatMap((root) => expandRoots([root], config).flatMap((path) => doubtAbout(root, path) ?? []));
}

function doubtAbout(root: string, path: string): RootDoubt | null {
  try {
    if (!lstatSync(path).isSymbolicLink()) return null;
    const target = targetOf(path);
    return target === null ? { kind: 'dangling', root, path } : { kind: 'link', root, path, target };
  } catch (error) {
    const isMissing = ['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '');
    return isMissing ? { kind: 'missing', root, path } : null;
  }
}

function targetOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** In a sentence or two, with what to do. */
export function describeDoubt(doubt: RootDoubt): string {
  const { path } = doubt;
  switch (doubt.kind) {
    case 'missing':
      return `${path} is not there now. It is backed up as soon as it is, say when its drive is connected; until then every backup lists it as unread. Mistyped? Take it out with \`holdfast sets edit NAME --drop PATH\`.`;
    case 'link':
      return `${path} is a link: it is backed up, but not what it leads to. Select ${doubt.target} for that.`;
    case 'dangling':
      return `${path} is a link that leads nowhere; the link alone is backed up.`;
    default:
      return doubt satisfies never;
  }
}
