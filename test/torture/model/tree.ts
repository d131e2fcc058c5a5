/** The trees that devices of the model have: always the same directories, files of little and recurring content. */
import { createCipheriv, hash } from 'node:crypto';
import type { Random } from '../support/random.ts';

/** Path to the name of its content. */
export type Tree = ReadonlyMap<string, string>;

const TOPS = ['a', 'b', 'c'] as const;
const LEAVES = ['x', 'y'] as const;
const FILES = ['1', '2'] as const;
/** So few that devices mostly have the same, and what is gone comes back. */
const CONTENTS = 14;

export const topsOf = (tree: Tree): string[] => [
  ...new Set([...tree.keys()].map((path) => path.split('/')[0] as string)),
];

export const below = (tree: Tree, directory: string): [path: string, content: string][] =>
  [...tree].filter(([path]) => path.startsWith(`${directory}/`));

/** What a directory holds, as text to compare. */
export const signature = (tree: Tree, directory: string): string =>
  below(tree, directory)
    .map(([path, content]) => `${path.slice(directory.length)}=${content}`)
    .join();

export function firstTree(random: Random): Tree {
  const tree = new Map<string, string>();
  for (const top of TOPS) fill(tree, top, random);
  return tree;
}

/** About every fourth directory becomes another one, or one that it was before. */
export function changedTree(tree: Tree, earlier: readonly Tree[], random: Random): Tree {
  const changed = new Map(tree);
  for (const top of TOPS) {
    if (!random.chance(0.3)) continue;
    if (earlier.length > 0 && random.chance(0.3))
      for (const [path, content] of below(random.pick(earlier), top)) changed.set(path, content);
    else fill(changed, top, random);
  }
  return changed;
}

/** One directory becomes another one; with `only`, just this one in it. */
export function changedIn(tree: Tree, top: string, random: Random, only: readonly string[] = LEAVES): Tree {
  const changed = new Map(tree);
  fill(changed, top, random, only);
  return changed;
}

function fill(tree: Map<string, string>, top: string, random: Random, leaves: readonly string[] = LEAVES): void {
  for (const leaf of leaves)
    for (const file of FILES) tree.set(`${top}/${leaf}/${file}`, `content ${random.below(CONTENTS)}`);
}

const known = new Map<string, Buffer>();

/** Bytes that do not compress, the same for the same name. */
export function bytesOf(content: string): Buffer {
  const found = known.get(content);
  if (found !== undefined) return found;
  const digest = hash('sha256', content, 'buffer');
  const made = createCipheriv('aes-256-ctr', digest, Buffer.alloc(16)).update(Buffer.alloc(40 + (digest[0] as number)));
  known.set(content, made);
  return made;
}
