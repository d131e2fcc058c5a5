/**
 * What of a tree is wanted: everything, or the paths given. A selection is a tree of names itself, so that a walk
 * reads only the directories, and in large ones only the parts, that can hold one of them.
 */
import { compareBytes } from '../format/ids.ts';
import type { NameRange } from './directory.ts';
import { joinPath, nameKey, namesOf, type PathLike } from './path.ts';

export type Selection = {
  /** Everything below is wanted. */
  all: boolean;
  readonly names: Map<string, { readonly name: Uint8Array; readonly below: Selection }>;
  /** From the root of the walk. */
  readonly path: Uint8Array;
  /** The walk has met it. */
  found: boolean;
};

const select = (path: Uint8Array): Selection => ({ all: false, names: new Map(), path, found: false });

/** `undefined` selects everything. A path inside another selected one adds nothing. */
export function selectionOf(paths: readonly PathLike[] | undefined): Selection {
  const root = select(new Uint8Array(0));
  root.found = true;
  if (paths === undefined) root.all = true;
  for (const path of paths ?? []) {
    let here = root;
    for (const name of namesOf(path)) {
      const key = nameKey(name);
      let next = here.names.get(key);
      if (next === undefined) {
        next = { name, below: select(joinPath(here.path, name)) };
        here.names.set(key, next);
      }
      here = next.below;
    }
    here.all = true;
  }
  return root;
}

/** What is wanted below the entry of this name; null when nothing is. */
export function below(selection: Selection, name: Uint8Array): Selection | null {
  if (selection.names.size === 0) return selection.all ? selection : null;
  const named = selection.names.get(nameKey(name));
  if (named !== undefined) {
    named.below.found = true;
    if (selection.all) named.below.all = true;
    return named.below;
  }
  return selection.all ? EVERYTHING : null;
}

const EVERYTHING: Selection = { ...select(new Uint8Array(0)), all: true, found: true };

/** Can a part that holds these names hold something wanted? */
export function touches(selection: Selection, { first, end }: NameRange): boolean {
  if (selection.all) return true;
  for (const { name } of selection.names.values()) {
    if ((first === null || compareBytes(first, name) <= 0) && (end === null || compareBytes(name, end) < 0))
      return true;
  }
  return false;
}

/** The selected paths that the walk did not meet. */
export function missed(selection: Selection): Uint8Array[] {
  const paths: Uint8Array[] = [];
  for (const { below } of selection.names.values()) {
    if (!below.found) paths.push(...ends(below));
    else paths.push(...missed(below));
  }
  return paths;
}

function ends(selection: Selection): Uint8Array[] {
  if (selection.all) return [selection.path];
  return [...selection.names.values()].flatMap(({ below }) => ends(below));
}
