/** Searches a snapshot by name. */

import type { ArchiveError } from '../errors.ts';
import type { TreeEntry } from '../format/tree.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { pathOf, type WalkOptions, walkTree } from './walk.ts';

export type Found =
  | { readonly kind: 'found'; readonly path: Uint8Array; readonly entry: TreeEntry }
  /** This directory could not be read, so that nothing in it was looked at. */
  | { readonly kind: 'damaged'; readonly path: Uint8Array; readonly error: ArchiveError };

/** Everything below `root` that `matches`, in walk order. Patterns are the caller's: paths are bytes, and globs differ by system. */
export async function* find(
  reader: ChunkReader,
  root: Uint8Array,
  matches: (path: Uint8Array, entry: TreeEntry) => boolean,
  options: WalkOptions = {},
): AsyncGenerator<Found> {
  for await (const item of walkTree(reader, root, options)) {
    if (item.kind === 'damaged') yield { kind: 'damaged', path: pathOf(item.directory), error: item.error };
    if (item.kind !== 'entry' && item.kind !== 'enter') continue;
    const entry = item.kind === 'entry' ? item.entry : item.directory.entry;
    if (entry === null) continue;
    const path = item.kind === 'entry' ? pathOf(item.directory, entry) : pathOf(item.directory);
    if (matches(path, entry)) yield { kind: 'found', path, entry };
  }
}
