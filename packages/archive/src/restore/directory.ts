/**
 * Directories as the archive holds them (format §5.1, §5.4): a top chunk (*tree* or *gone*) that is a leaf of entries or an
 * index of *parts*, which are leaves or indexes again. `lookupEntries` reads one chunk per level; nothing here reads a
 * chunk that the question does not need.
 *
 * A hostile archive could repeat a name in two parts, as a symbolic link and as a directory. So a part must lie within the
 * names its index promises: begin with the promised name and end before the next part's.
 */
import { invalid } from '../errors.ts';
import { compareBytes } from '../format/ids.ts';
import { KIND } from '../format/kinds.ts';
import { type Child, type DirectoryBody, decodeDirectory, type TreeEntry } from '../format/tree.ts';
import { type ChunkReader, type OpenedChunk, readOne } from './chunk-reader.ts';

export type TopKind = typeof KIND.tree | typeof KIND.gone;

/** Far more levels than a directory of 2^53 entries has (format §5.4). */
export const MAX_LEVELS = 16;

/** The names that a part may hold: from `first` (its own first name) up to `end`, which belongs to the next part. */
export type NameRange = { readonly first: Uint8Array | null; readonly end: Uint8Array | null };

export const EVERY_NAME: NameRange = { first: null, end: null };

/** Decodes a directory's chunk; `top` decides whether its entries are deleted ones (format §5.5). */
export function decodeWithin(chunk: OpenedChunk, range: NameRange, top: TopKind): DirectoryBody {
  const body = decodeDirectory(chunk.links, chunk.plaintext, chunk.kind);
  checkWithin(body, range);
  for (const entry of body.entries ?? []) {
    if ((entry.deleted !== undefined) !== (top === KIND.gone))
      throw invalid('directory', 'live and deleted entries are mixed');
  }
  return body;
}

function checkWithin({ entries, children }: DirectoryBody, { first, end }: NameRange): void {
  const begins = entries === undefined ? children?.[0]?.first : entries[0]?.name;
  const ends = entries === undefined ? children?.at(-1)?.first : entries.at(-1)?.name;
  if (first !== null && (begins === undefined || compareBytes(begins, first) !== 0))
    throw invalid('directory', 'a part does not begin with the name its index promises');
  if (end !== null && ends !== undefined && compareBytes(ends, end) >= 0)
    throw invalid('directory', 'a part runs into the next one');
}

/** The range of child `index` of an index that itself has `range`. */
export function rangeOfChild(children: readonly Child[], index: number, range: NameRange): NameRange {
  return { first: (children[index] as Child).first, end: children[index + 1]?.first ?? range.end };
}

/** The directory's top chunk, decoded. */
export async function readTop(
  reader: ChunkReader,
  id: Uint8Array,
  top: TopKind,
  signal?: AbortSignal,
): Promise<DirectoryBody> {
  return decodeWithin(await readOne(reader, id, [top], signal), EVERY_NAME, top);
}

/** The entry of that name if there is one; of what is gone there may be two (format §5.5). Reads one chunk per level of the directory. */
export async function lookupEntries(
  reader: ChunkReader,
  body: DirectoryBody,
  name: Uint8Array,
  top: TopKind = KIND.tree,
  signal?: AbortSignal,
): Promise<TreeEntry[]> {
  let range = EVERY_NAME;
  let here = body;
  for (let level = 0; here.children !== undefined; level++) {
    if (level === MAX_LEVELS) throw invalid('directory', `more than ${MAX_LEVELS} levels`);
    const children = here.children;
    const index = lastAtMost(children, (child) => child.first, name);
    const child = children[index];
    if (child === undefined) return [];
    range = rangeOfChild(children, index, range);
    here = decodeWithin(await readOne(reader, child.id, [KIND.part], signal), range, top);
  }
  const entries = here.entries ?? [];
  const last = lastAtMost(entries, (item) => item.name, name);
  return entries.slice(Math.max(last - 1, 0), last + 1).filter((entry) => compareBytes(entry.name, name) === 0);
}

/** Index of the last item whose key is not greater than `key`; -1 when all are. Items ascend by key. */
export function lastAtMost<T>(items: readonly T[], keyOf: (item: T) => Uint8Array, key: Uint8Array): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(keyOf(items[middle] as T), key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
