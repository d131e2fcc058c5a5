// What an opened tree, part, gone or list chunk needs to be whole: other structure, each with what must be true of it, and content.

import { invalid } from '../errors.ts';
import { KIND, type Kind } from '../format/kinds.ts';
import { decodeList } from '../format/list.ts';
import { segmentsLength } from '../format/segments.ts';
import type { DirectoryBody, Segment, TreeEntry } from '../format/tree.ts';
import type { OpenedChunk } from '../restore/chunk-reader.ts';
import {
  decodeWithin,
  EVERY_NAME,
  MAX_LEVELS,
  type NameRange,
  rangeOfChild,
  type TopKind,
} from '../restore/directory.ts';
import { dataLength } from '../restore/segments.ts';

/** A chunk of structure that is to be read. */
export type Structure = DirectoryStructure | ListStructure;

type DirectoryStructure = {
  readonly kind: typeof KIND.tree | typeof KIND.gone | typeof KIND.part;
  readonly id: Uint8Array;
  readonly top: TopKind;
  readonly level: number;
  readonly range: NameRange;
};

type ListStructure = {
  readonly kind: typeof KIND.list;
  readonly id: Uint8Array;
  readonly level: number;
  /** How many bytes its segments must hold. */
  readonly length: number;
};

/** Content that a file is cut from: at least `end` bytes of a chunk of data or a bundle. */
export type Content = { readonly id: Uint8Array; readonly end: number };

/** One thing that a chunk links, with the name in its directory that leads there; parts have none. */
export type Need = { readonly name: Uint8Array | null } & (
  | { readonly structure: Structure }
  | { readonly content: Content }
);

export const treeStructure = (id: Uint8Array): Structure => ({
  kind: KIND.tree,
  id,
  top: KIND.tree,
  level: 0,
  range: EVERY_NAME,
});

export const isContentKind = (kind: Kind): boolean => kind === KIND.data || kind === KIND.bundle;

/** Decodes the chunk as what `structure` says it is. Throws an `ArchiveError` when it is not. */
export function needsOf(structure: Structure, chunk: OpenedChunk): Need[] {
  if (structure.kind === KIND.list) return listNeeds(structure, chunk);
  const body = decodeWithin(chunk, structure.range, structure.top);
  return [...partNeeds(structure, body), ...(body.entries ?? []).flatMap(entryNeeds), ...goneNeeds(body)];
}

function partNeeds({ level, range, top }: DirectoryStructure, { children = [] }: DirectoryBody): Need[] {
  if (children.length > 0 && level === MAX_LEVELS) throw invalid('directory', `more than ${MAX_LEVELS} levels`);
  return children.map(({ id }, i) => {
    const within = rangeOfChild(children, i, range);
    return { name: null, structure: { kind: KIND.part, id, top, level: level + 1, range: within } };
  });
}

function goneNeeds({ gone }: DirectoryBody): Need[] {
  if (gone === undefined) return [];
  return [{ name: null, structure: { kind: KIND.gone, id: gone, top: KIND.gone, level: 0, range: EVERY_NAME } }];
}

function entryNeeds(entry: TreeEntry): Need[] {
  const { name, tree, list, segments = [] } = entry;
  if (tree !== undefined) return [{ name, structure: treeStructure(tree) }];
  if (list !== undefined)
    return [{ name, structure: { kind: KIND.list, id: list, level: 0, length: dataLength(entry) } }];
  return contentNeeds(segments, name);
}

function listNeeds({ level, length }: ListStructure, chunk: OpenedChunk): Need[] {
  const { segments, children = [] } = decodeList(chunk.links, chunk.plaintext);
  if (segments !== undefined) {
    if (segmentsLength(segments) !== length) throw invalid('list', 'it is not as long as what names it says');
    return contentNeeds(segments, null);
  }
  if (level === MAX_LEVELS) throw invalid('list', `more than ${MAX_LEVELS} levels`);
  return children.map(({ id, start }, i) => {
    const end = children[i + 1]?.start ?? length;
    if (end <= start || end > length) throw invalid('list', 'its children pass its end');
    return { name: null, structure: { kind: KIND.list, id, level: level + 1, length: end - start } };
  });
}

const contentNeeds = (segments: readonly Segment[], name: Uint8Array | null): Need[] =>
  segments.map(({ id, offset, length }) => ({ name, content: { id, end: offset + length } }));
