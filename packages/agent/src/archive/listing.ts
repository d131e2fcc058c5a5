import { invalid } from '@holdfast/archive/errors.ts';
import { KIND } from '@holdfast/archive/format/kinds.ts';
import type { DirectoryBody, TreeEntry } from '@holdfast/archive/format/tree.ts';
import { type ChunkReader, readOne } from '@holdfast/archive/restore/chunk-reader.ts';
import {
  decodeWithin,
  EVERY_NAME,
  MAX_LEVELS,
  type NameRange,
  rangeOfChild,
  readTop,
  type TopKind,
} from '@holdfast/archive/restore/directory.ts';

/** The entries of one directory, without going into those below it; deleted ones after the live ones. */
export async function readListing(
  reader: ChunkReader,
  tree: Uint8Array,
  includeGone: boolean,
  signal?: AbortSignal,
): Promise<TreeEntry[]> {
  const body = await readTop(reader, tree, KIND.tree, signal);
  const live = await entriesOf(reader, body, EVERY_NAME, KIND.tree, signal);
  if (!includeGone || body.gone === undefined) return live;
  const gone = await readTop(reader, body.gone, KIND.gone, signal);
  return [...live, ...(await entriesOf(reader, gone, EVERY_NAME, KIND.gone, signal))];
}

async function entriesOf(
  reader: ChunkReader,
  { entries, children }: DirectoryBody,
  range: NameRange,
  top: TopKind,
  signal: AbortSignal | undefined,
  level = 0,
): Promise<TreeEntry[]> {
  if (children === undefined) return [...(entries ?? [])];
  if (level === MAX_LEVELS) throw invalid('directory', `more than ${MAX_LEVELS} levels`);
  const found: TreeEntry[] = [];
  for (const [index, { id }] of children.entries()) {
    const within = rangeOfChild(children, index, range);
    const part = decodeWithin(await readOne(reader, id, [KIND.part], signal), within, top);
    found.push(...(await entriesOf(reader, part, within, top, signal, level + 1)));
  }
  return found;
}
