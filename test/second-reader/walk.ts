/** Everything below a root tree, directories before what they hold (format §5.1, §5.5). */
import type { ChunkSource } from './chunk-source.ts';
import { readDirectory, readGone } from './tree.ts';
import type { TreeEntry } from './tree-entry.ts';

export interface Row {
  /** Names joined by `/`, from the file-system root, without a leading one. */
  readonly path: Buffer;
  readonly entry: TreeEntry;
  /** Deleted itself, or below a directory that was. */
  readonly gone: boolean;
}

export interface WalkOptions {
  /** Also what was deleted. */
  readonly gone?: boolean;
}

interface Place {
  readonly tree: Buffer;
  readonly path: Buffer;
  readonly gone: boolean;
}

const SLASH = Buffer.from('/');
const below = (path: Buffer, name: Buffer): Buffer => (path.length === 0 ? name : Buffer.concat([path, SLASH, name]));

function* rowsOf(
  source: ChunkSource,
  entry: TreeEntry,
  { path, gone }: Omit<Place, 'tree'>,
  options: WalkOptions,
): Generator<Row> {
  yield { path, entry, gone };
  if (entry.type === 'directory') yield* walkPlace(source, { tree: entry.tree, path, gone }, options);
}

function* walkPlace(source: ChunkSource, { tree, path, gone }: Place, options: WalkOptions): Generator<Row> {
  const directory = readDirectory(source, tree);
  for (const entry of directory.entries) yield* rowsOf(source, entry, { path: below(path, entry.name), gone }, options);
  if (!options.gone || directory.gone === undefined) return;
  for (const entry of readGone(source, directory.gone)) {
    yield* rowsOf(source, entry, { path: below(path, entry.name), gone: true }, options);
  }
}

export const walk = (source: ChunkSource, root: Buffer, options: WalkOptions = {}): Generator<Row> =>
  walkPlace(source, { tree: root, path: Buffer.alloc(0), gone: false }, options);
