/** Directories (format §5.1, §5.4, §5.5): one body for tree, part and gone chunks, and the walk over their parts. */
import type { CborMap } from './cbor.ts';
import type { ChunkSource } from './chunk-source.ts';
import { bodyOf, bytes, demandAscending, field, list, optional } from './fields.ts';
import { type Chunk, KIND } from './frame.ts';
import { type Links, linksOf } from './links.ts';
import { demand } from './refusal.ts';
import { parseEntry, type TreeEntry } from './tree-entry.ts';

export interface TreeChild {
  readonly first: Buffer;
  readonly id: Buffer;
}

/** A leaf has entries, an index has children. */
export interface TreeBody {
  readonly entries: readonly TreeEntry[] | undefined;
  readonly children: readonly TreeChild[];
  readonly gone: Buffer | undefined;
}

export interface Directory {
  readonly entries: readonly TreeEntry[];
  readonly gone: Buffer | undefined;
}

type Top = 'tree' | 'gone';

function entriesOf(map: CborMap, links: Links, deleted: boolean): TreeEntry[] {
  const entries = list(field(map, 1)).map((value) => parseEntry(value, links, deleted));
  demandSorted(entries);
  return entries;
}

/** A deleted directory may follow what was deleted under its name and was none. */
const isPair = (one: TreeEntry, other: TreeEntry): boolean =>
  one.deletedMs !== undefined && one.name.equals(other.name) && one.type !== 'directory' && other.type === 'directory';

function demandSorted(entries: readonly TreeEntry[]): void {
  const single = entries.filter((entry, at) => at === 0 || !isPair(entries[at - 1]!, entry));
  demandAscending(
    single.map(({ name }) => name),
    'names in a directory',
  );
}

function childrenOf(map: CborMap, links: Links): TreeChild[] {
  const children = list(field(map, 2)).map((value) => {
    const [first, link] = list(value, 2);
    return { first: bytes(first!), id: links.at(link!) };
  });
  demand(children.length > 0, 'malformed', 'an index without children');
  demandAscending(
    children.map(({ first }) => first),
    'first names of parts',
  );
  return children;
}

/** `top` says of which kind the directory's top chunk is, so what a part stands below. */
export function parseTreeBody(chunk: Pick<Chunk, 'kind' | 'body' | 'links'>, top: Top): TreeBody {
  const links = linksOf(chunk.links);
  const map = bodyOf(chunk.body, chunk.kind === KIND.tree ? [1, 2, 3] : [1, 2]);
  demand(map.has(1) !== map.has(2), 'malformed', 'a directory chunk that is not either leaf or index');
  const entries = map.has(1) ? entriesOf(map, links, top === 'gone') : undefined;
  const children = map.has(2) ? childrenOf(map, links) : [];
  const gone = optional(map, 3, links.at);
  links.demandAllUsed();
  return { entries, children, gone };
}

const firstNameOf = ({ entries, children }: TreeBody): Buffer | undefined => entries?.[0]?.name ?? children[0]?.first;

function leavesBelow(source: ChunkSource, { first, id }: TreeChild, top: Top): TreeEntry[] {
  const body = parseTreeBody(source.open(id, [KIND.part]), top);
  demand(firstNameOf(body)?.equals(first) === true, 'malformed', 'a part that begins with another name');
  return body.entries ? [...body.entries] : body.children.flatMap((child) => leavesBelow(source, child, top));
}

function readTop(source: ChunkSource, id: Buffer, top: Top): Directory {
  const body = parseTreeBody(source.open(id, [KIND[top]]), top);
  const entries = body.entries ?? body.children.flatMap((child) => leavesBelow(source, child, top));
  demandSorted(entries);
  return { entries, gone: body.gone };
}

/** All entries of a directory, its parts joined. */
export const readDirectory = (source: ChunkSource, tree: Buffer): Directory => readTop(source, tree, 'tree');

/** What was deleted from a directory. */
export const readGone = (source: ChunkSource, gone: Buffer): readonly TreeEntry[] =>
  readTop(source, gone, 'gone').entries;
