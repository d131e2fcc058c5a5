/**
 * Walks a tree of directories depth first, in the order of names, while reading its chunks many at a time.
 *
 * Nouns: an *item* is what the walk yields (enter a directory, an entry, leave it, or what could not be read); the *frontier* is a linked list
 * of items still to come, in walk order, in which a *pending* chunk stands for all that it will turn out to hold.
 *
 * ```
 * while the frontier is not empty
 *   first is an item     yield it
 *   first is pending     read it together with the next pending ones (up to BATCH, fewer when much is decoded already),
 *                        put in the place of each what it holds
 * ```
 * So a wide tree costs a question per few hundred directories, memory stays bounded, and a deep one recurses nowhere.
 */
import { ArchiveError, invalid } from '../errors.ts';
import { equalBytes } from '../format/ids.ts';
import { KIND, type Kind } from '../format/kinds.ts';
import type { TreeEntry } from '../format/tree.ts';
import { type ChunkReader, chunkOf, type OpenedChunk } from './chunk-reader.ts';
import { decodeWithin, EVERY_NAME, MAX_LEVELS, type NameRange, rangeOfChild, type TopKind } from './directory.ts';
import { checkedName, joinPath, nameKey, type PathLike } from './path.ts';
import { below, missed, type Selection, selectionOf, touches } from './selection.ts';

export type WalkDirectory = {
  /** `null` for the root of the walk. */
  readonly parent: WalkDirectory | null;
  readonly entry: TreeEntry | null;
  readonly depth: number;
  /** Lies above what is selected: only a way to it. */
  readonly above: boolean;
};

export type WalkItem =
  | { readonly kind: 'enter'; readonly directory: WalkDirectory; readonly collides: boolean }
  | { readonly kind: 'leave'; readonly directory: WalkDirectory }
  /** Anything but a directory. `collides`: a deleted entry whose name a live one has, or a deleted one before it. */
  | { readonly kind: 'entry'; readonly directory: WalkDirectory; readonly entry: TreeEntry; readonly collides: boolean }
  /** A chunk of this directory could not be had; the rest of it and of the tree follows. */
  | {
      readonly kind: 'damaged';
      readonly directory: WalkDirectory;
      readonly id: Uint8Array;
      readonly error: ArchiveError;
    }
  /** A selected path that is not there. */
  | { readonly kind: 'missing'; readonly path: Uint8Array };

export type WalkOptions = {
  /** Paths from the root; without it everything. */
  readonly select?: readonly PathLike[];
  /** Deleted entries too, after the live ones of their directory. */
  readonly includeGone?: boolean;
  readonly signal?: AbortSignal;
};

/** More levels than any file system lets one make by hand; what goes deeper was made to exhaust the reader. */
export const MAX_DEPTH = 8192;
const BATCH = 256;
/** Decoded entries that may wait in the frontier before fewer chunks are read at a time. */
const AHEAD = 8_192;
/**
 * So many chunks are read together also when more entries wait, up to `MOST_DECODED`: one at a time is a request to the server for nearly
 * every directory (ADR 5).
 */
const FEWEST = 64;
const MOST_DECODED = 4 * AHEAD;

type Directory = WalkDirectory & {
  readonly parent: Directory | null;
  readonly id: Uint8Array;
  readonly selection: Selection;
  /** Names of the entries so far, kept only where deleted ones follow. */
  names: Set<string> | null;
};

type Pending = {
  readonly kind: 'pending';
  readonly id: Uint8Array;
  /** What kinds may stand here. */
  readonly expected: Kind;
  readonly top: TopKind;
  readonly level: number;
  readonly range: NameRange;
  readonly directory: Directory;
};

/** `null`: a chunk stood here that holds nothing wanted. */
type Node = { item: WalkItem | Pending | null; next: Node | null };

export async function* walkTree(
  reader: ChunkReader,
  root: Uint8Array,
  options: WalkOptions = {},
): AsyncGenerator<WalkItem> {
  const selection = selectionOf(options.select);
  const frontier = new Frontier(reader, options.includeGone ?? false, options.signal);
  const top: Directory = {
    parent: null,
    entry: null,
    depth: 0,
    above: !selection.all,
    id: root,
    selection,
    names: null,
  };
  frontier.begin(top);
  for (let item = await frontier.take(); item !== null; item = await frontier.take()) yield item;
  for (const path of missed(selection)) yield { kind: 'missing', path };
}

/** The path of a directory, or of an entry in it, from the root of the walk. */
export function pathOf(directory: WalkDirectory, entry?: TreeEntry): Uint8Array {
  const names: Uint8Array[] = entry === undefined ? [] : [entry.name];
  for (let at: WalkDirectory | null = directory; at?.entry; at = at.parent) names.push(at.entry.name);
  return names.reduceRight((path, name) => joinPath(path, name), new Uint8Array(0));
}

class Frontier {
  private head: Node | null = null;
  private decoded = 0;
  /** Entries per chunk so far, to guess what the next ones will hold. */
  private chunks = 0;
  private entries = 0;
  private readonly reader: ChunkReader;
  private readonly includeGone: boolean;
  private readonly signal: AbortSignal | undefined;

  constructor(reader: ChunkReader, includeGone: boolean, signal: AbortSignal | undefined) {
    this.reader = reader;
    this.includeGone = includeGone;
    this.signal = signal;
  }

  begin(root: Directory): void {
    this.head = { item: topOf(root), next: null };
  }

  async take(): Promise<WalkItem | null> {
    while (this.head !== null) {
      const { item } = this.head;
      if (item?.kind === 'pending') {
        await this.fill();
        continue;
      }
      this.head = this.head.next;
      if (item === null) continue;
      this.decoded--;
      return item;
    }
    return null;
  }

  private async fill(): Promise<void> {
    const wanted = this.nextPending();
    const answers = await this.reader.read(
      wanted.map(({ item }) => (item as Pending).id),
      this.signal,
    );
    for (const [index, node] of wanted.entries()) this.replace(node, this.expand(node.item as Pending, answers[index]));
  }

  /** The pending chunks that come first in walk order. */
  private nextPending(): Node[] {
    const perChunk = this.chunks === 0 ? 16 : 1 + this.entries / this.chunks;
    const least = this.decoded < MOST_DECODED ? FEWEST : 1;
    const room = Math.max(least, Math.min(BATCH, Math.floor((AHEAD - this.decoded) / perChunk)));
    const found: Node[] = [];
    let passed = 0;
    for (let node = this.head; node !== null && found.length < room && passed < AHEAD; node = node.next, passed++) {
      if (node.item?.kind === 'pending') found.push(node);
    }
    return found;
  }

  private replace(node: Node, items: readonly (WalkItem | Pending)[]): void {
    let next = node.next;
    for (let i = items.length - 1; i >= 1; i--) next = { item: items[i] as WalkItem | Pending, next };
    node.item = items[0] ?? null;
    node.next = next;
    for (const item of items) if (item.kind !== 'pending') this.decoded++;
  }

  private expand(pending: Pending, answer: OpenedChunk | ArchiveError | undefined): (WalkItem | Pending)[] {
    try {
      return this.itemsOf(pending, chunkOf(answer, pending.expected));
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      return [damaged(pending.directory, pending.id, error)];
    }
  }

  private itemsOf(pending: Pending, chunk: OpenedChunk): (WalkItem | Pending)[] {
    const { directory, top, level, range } = pending;
    const body = decodeWithin(chunk, range, top);
    const items: (WalkItem | Pending)[] = [];
    const gone = this.includeGone ? body.gone : undefined;
    if (gone !== undefined) directory.names = new Set();
    const { children, entries = [] } = body;
    if (children !== undefined) {
      if (level === MAX_LEVELS) throw invalid('directory', `more than ${MAX_LEVELS} levels`);
      for (const [index, { id }] of children.entries()) {
        const within = rangeOfChild(children, index, range);
        if (!touches(directory.selection, within)) continue;
        items.push({ ...pending, id, expected: KIND.part, level: level + 1, range: within });
      }
    }
    for (const entry of entries) this.add(items, directory, entry);
    if (gone !== undefined) items.push({ ...topOf(directory), id: gone, expected: KIND.gone, top: KIND.gone });
    this.chunks++;
    this.entries += entries.length;
    return items;
  }

  private add(items: (WalkItem | Pending)[], parent: Directory, entry: TreeEntry): void {
    const selection = below(parent.selection, entry.name);
    if (selection === null) return;
    checkedName(entry.name);
    const collides = collidesIn(parent, entry);
    if (entry.tree === undefined) {
      if (selection.all) items.push({ kind: 'entry', directory: parent, entry, collides });
      return;
    }
    const directory = childOf(parent, entry, entry.tree, selection);
    const error = problemOfDirectory(directory);
    const content = error === null ? topOf(directory) : damaged(directory, directory.id, error);
    items.push({ kind: 'enter', directory, collides }, content, { kind: 'leave', directory });
  }
}

function topOf(directory: Directory): Pending {
  const { id } = directory;
  return { kind: 'pending', id, expected: KIND.tree, top: KIND.tree, level: 0, range: EVERY_NAME, directory };
}

function childOf(parent: Directory, entry: TreeEntry, id: Uint8Array, selection: Selection): Directory {
  return { parent, entry, depth: parent.depth + 1, above: !selection.all, id, selection, names: null };
}

/** Remembers names where deleted entries follow, and tells a deleted one that its name is in use. */
function collidesIn({ names }: Directory, { name }: TreeEntry): boolean {
  if (names === null) return false;
  const key = nameKey(name);
  const taken = names.has(key);
  names.add(key);
  return taken;
}

function problemOfDirectory({ depth, id, parent }: Directory): ArchiveError | null {
  if (depth > MAX_DEPTH) return invalid('directory', `more than ${MAX_DEPTH} levels deep`);
  for (let above = parent; above !== null; above = above.parent)
    if (equalBytes(above.id, id)) return invalid('directory', 'it contains itself');
  return null;
}

const damaged = (directory: Directory, id: Uint8Array, error: ArchiveError): WalkItem => ({
  kind: 'damaged',
  directory,
  id,
  error,
});
