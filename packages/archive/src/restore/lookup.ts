/**
 * What stands at one path, and all of its versions: one chunk is read per directory and level on the way, and none twice.
 */
import { equalBytes, toHex } from '../format/ids.ts';
import { KIND } from '../format/kinds.ts';
import type { DirectoryBody, TreeEntry } from '../format/tree.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { lookupEntries, readTop } from './directory.ts';
import { nameKey, namesOf, type PathLike } from './path.ts';

export type LookupOptions = {
  /** A deleted entry answers when no live one has the name. */
  readonly includeGone?: boolean;
  readonly signal?: AbortSignal;
};

/** The entry at `path` below the tree `root`, or null. Never follows a symbolic link. */
export async function lookup(
  reader: ChunkReader,
  root: Uint8Array,
  path: PathLike,
  options: LookupOptions = {},
): Promise<TreeEntry | null> {
  let tree: Uint8Array | undefined = root;
  let entry: TreeEntry | null = null;
  const names = namesOf(path);
  for (const [depth, name] of names.entries()) {
    if (tree === undefined) return null;
    entry = await entryIn(reader, tree, name, depth < names.length - 1, options);
    if (entry === null) return null;
    tree = entry.tree;
  }
  return entry;
}

/** `onTheWay`: only a directory will do. */
async function entryIn(
  reader: ChunkReader,
  tree: Uint8Array,
  name: Uint8Array,
  onTheWay: boolean,
  { includeGone, signal }: LookupOptions,
): Promise<TreeEntry | null> {
  const fits = (entry: TreeEntry): boolean => !onTheWay || entry.tree !== undefined;
  const body = await readTop(reader, tree, KIND.tree, signal);
  const [live] = (await lookupEntries(reader, body, name, KIND.tree, signal)).filter(fits);
  if (live !== undefined || !includeGone || body.gone === undefined) return live ?? null;
  const gone: DirectoryBody = await readTop(reader, body.gone, KIND.gone, signal);
  const found = (await lookupEntries(reader, gone, name, KIND.gone, signal)).filter(fits);
  return found.sort((a, b) => (b.deleted ?? 0) - (a.deleted ?? 0))[0] ?? null;
}

export type Version<S> = {
  readonly entry: TreeEntry;
  /** The snapshots that hold this version, in the order given. */
  readonly snapshots: S[];
};

/**
 * The versions of one path over snapshots, in their order: neighbouring snapshots in which it is the same share one. Snapshots that do not
 * have it end a version. Equal trees are read once.
 */
export async function versionsOf<S extends { readonly root: Uint8Array }>(
  reader: ChunkReader,
  snapshots: readonly S[],
  path: PathLike,
  options: LookupOptions = {},
): Promise<Version<S>[]> {
  const names = namesOf(path);
  const known = new Map<string, Promise<TreeEntry | null>>();
  const versions: Version<S>[] = [];
  let last: Version<S> | null = null;
  for (const snapshot of snapshots) {
    const entry = await lookupKnown(reader, snapshot.root, names, options, known);
    if (entry !== null && last !== null && sameVersion(last.entry, entry)) {
      last.snapshots.push(snapshot);
      continue;
    }
    last = entry === null ? null : { entry, snapshots: [snapshot] };
    if (last !== null) versions.push(last);
  }
  return versions;
}

async function lookupKnown(
  reader: ChunkReader,
  root: Uint8Array,
  names: readonly Uint8Array[],
  options: LookupOptions,
  known: Map<string, Promise<TreeEntry | null>>,
): Promise<TreeEntry | null> {
  let tree: Uint8Array | undefined = root;
  let entry: TreeEntry | null = null;
  for (const [depth, name] of names.entries()) {
    if (tree === undefined) return null;
    const onTheWay = depth < names.length - 1;
    const key = `${toHex(tree)}/${nameKey(name)}${onTheWay ? '/' : ''}`;
    const found: Promise<TreeEntry | null> = known.get(key) ?? entryIn(reader, tree, name, onTheWay, options);
    known.set(key, found);
    entry = await found;
    if (entry === null) return null;
    tree = entry.tree;
  }
  return entry;
}

/** Same content and same attributes. */
export function sameVersion(a: TreeEntry, b: TreeEntry): boolean {
  return (
    a.type === b.type &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.mtime.sec === b.mtime.sec &&
    a.mtime.nsec === b.mtime.nsec &&
    sameContent(a, b)
  );
}

/** Same bytes, link target, device or tree; attributes may differ. Large files that hold the same in other pieces count as different. */
export function sameContent(a: TreeEntry, b: TreeEntry): boolean {
  return (
    a.type === b.type &&
    a.size === b.size &&
    a.device?.join() === b.device?.join() &&
    sameBytes(a.tree, b.tree) &&
    sameBytes(a.target, b.target) &&
    a.extents?.join() === b.extents?.join() &&
    (a.fileId !== undefined && b.fileId !== undefined
      ? equalBytes(a.fileId, b.fileId)
      : sameBytes(a.list, b.list) && sameSegments(a, b))
  );
}

function sameSegments({ segments: a = [] }: TreeEntry, { segments: b = [] }: TreeEntry): boolean {
  return (
    a.length === b.length &&
    a.every((segment, index) => {
      const other = b[index];
      return (
        other !== undefined &&
        segment.offset === other.offset &&
        segment.length === other.length &&
        equalBytes(segment.id, other.id)
      );
    })
  );
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}
