/**
 * The walk: which directories there are, and which of them changed.
 *
 * ```
 * from "/" down to each root: a node for each directory on the way, looked at alone
 * queue of directories -> workers, some at a time -> reports -> their sub-directories into the queue
 * at the end: all nodes in walk order
 * ```
 */

import { codeOf } from '../source/node-source.ts';
import { componentsOf, joinPath, nameOf, ROOT } from '../source/paths.ts';
import {
  FLAG,
  pathHash,
  ROW_LENGTH,
  rowFlags,
  rowGid,
  rowMode,
  rowName,
  rowSize,
  rowType,
  rowUid,
  sameRow,
  setName,
  TYPE,
  viewOf,
} from '../source/rows.ts';
import type { Failure, FileSource, Listing } from '../source/source.ts';
import { asBuffer, ByteReader, ByteWriter } from './byte-writer.ts';
import type { Cache } from './cache.ts';
import { childNamed, NO_TOTALS, type Node, type NodeKind } from './node.ts';
import type { WorkerPool } from './pool.ts';
import type { DirectoryRecord } from './record.ts';
import type { Skip } from './skip.ts';
import { readWalkReport, type WalkReport } from './walk-report.ts';

/** Directories in one message; small enough that no worker runs dry. */
const BATCH = 64;
/** Messages that wait at each worker, so that it never waits for us. */
const AHEAD = 2;

export type Walk = {
  /** In walk order; the first is the root of the file system. */
  readonly nodes: Node[];
  readonly skipped: Skip[];
  /** Every directory below the roots was looked at. */
  readonly full: boolean;
};

export type WalkInput = {
  readonly roots: readonly Buffer[];
  readonly cache: Cache;
  readonly source: Pick<FileSource, 'stat'>;
  readonly pool: WorkerPool;
  readonly signal: AbortSignal;
};

export const EMPTY_LISTING: Listing = { count: 0, rows: Buffer.alloc(0), names: Buffer.alloc(0), failed: [] };

export async function walkAll(input: WalkInput): Promise<Walk> {
  const skipped: Skip[] = [];
  const { root, tops } = wayTo(input, skipped);
  await new Walker(input, skipped).run(tops);
  return { nodes: inWalkOrder(root), skipped, full: true };
}

/** The node keeps no hold of the listing that its name came from. */
export function makeNode(cache: Cache, path: Buffer, parent: Node | null, kind: NodeKind): Node {
  const cacheRow = cache.find(pathHash(path));
  return {
    path,
    name: nameOf(path),
    parent,
    kind,
    listing: null,
    children: [],
    base: cacheRow < 0 ? null : cache.place(cacheRow),
    cacheRow,
    dirty: false,
    handedDown: [],
    dissolving: false,
    sources: null,
    pending: 0,
    tree: null,
    totals: NO_TOTALS,
  };
}

/** The nodes from the root of the file system down to what was selected; `tops` are the selected directories. */
export function wayTo(input: WalkInput, skipped: Skip[]): { root: Node; tops: Node[] } {
  const { cache, roots } = input;
  if (roots.some((path) => path.equals(ROOT))) {
    const root = makeNode(cache, ROOT, null, 'listed');
    return { root, tops: [root] };
  }
  const root = makeNode(cache, ROOT, null, 'way');
  const tops: Node[] = [];
  descend(input, root, roots.map(componentsOf), 0, tops, skipped);
  return { root, tops };
}

/** Lists in `node` the next names of `paths`, all of which lead through it. */
function descend(input: WalkInput, node: Node, paths: Buffer[][], depth: number, tops: Node[], skipped: Skip[]): void {
  const rows: { name: Buffer; row: Buffer }[] = [];
  const failed: Failure[] = [];
  const record = node.base && input.cache.record(node.base);
  for (const [name, below] of byName(paths, depth)) {
    const path = joinPath(node.path, name);
    const last = below.some((names) => names.length === depth + 1);
    try {
      const row = look(input.source, path, last);
      rows.push({ name, row: last ? row : steadyRow(row, record, name) });
      if (rowType(row, 0) !== TYPE.directory) continue;
      const child = makeNode(input.cache, path, node, last ? 'listed' : 'way');
      node.children.push(child);
      if (last) tops.push(child);
      else descend(input, child, below, depth + 1, tops, skipped);
    } catch (error) {
      // A root that is not there may be a disk that is not plugged in: it stays as it was.
      if (!(error instanceof Error) || !('syscall' in error)) throw error;
      failed.push({ name, reason: codeOf(error) });
      skipped.push({ path, reason: codeOf(error) });
    }
  }
  node.listing = listingOf(rows, failed);
}

/** On the way a link to a directory is followed, since the path goes through it. */
function look(source: Pick<FileSource, 'stat'>, path: Buffer, last: boolean): Buffer {
  const row = source.stat(path);
  return !last && rowType(row, 0) === TYPE.symlink ? source.stat(path, true) : row;
}

/**
 * What happens beside the selection is no change of it: a directory on the way keeps its times as long as owner and mode stay.
 */
function steadyRow(row: Buffer, record: DirectoryRecord | null, name: Buffer): Buffer {
  const known = record?.find(name) ?? -1;
  if (record === null || known < 0 || record.type(known) !== TYPE.directory) return row;
  const before = Buffer.from(record.row(known));
  const same =
    rowMode(row, 0) === rowMode(before, 0) &&
    rowUid(row, 0) === rowUid(before, 0) &&
    rowGid(row, 0) === rowGid(before, 0);
  return same ? before : row;
}

function byName(paths: readonly Buffer[][], depth: number): [Buffer, Buffer[][]][] {
  const groups = new Map<string, Buffer[][]>();
  for (const names of paths) {
    const key = (names[depth] as Buffer).toString('latin1');
    groups.set(key, [...(groups.get(key) ?? []), names]);
  }
  const named = [...groups].map(([key, below]): [Buffer, Buffer[][]] => [Buffer.from(key, 'latin1'), below]);
  return named.sort(([a], [b]) => a.compare(b));
}

/** `entries` sorted by name. */
export function listingOf(entries: readonly { name: Buffer; row: Buffer }[], failed: readonly Failure[]): Listing {
  const rows = Buffer.concat(entries.map(({ row }) => row));
  const view = viewOf(rows);
  let nameAt = 0;
  for (const [i, { name }] of entries.entries()) {
    setName(view, i * ROW_LENGTH, nameAt, name.length);
    nameAt += name.length;
  }
  return { count: entries.length, rows, names: Buffer.concat(entries.map(({ name }) => name)), failed };
}

export class Walker {
  private readonly input: WalkInput;
  private readonly skipped: Skip[];
  private queue: Node[] = [];
  private readonly waiting: Node[][][];
  private done: () => void = () => {};
  private below: 'all' | 'changed' = 'all';

  constructor(input: WalkInput, skipped: Skip[]) {
    this.input = input;
    this.skipped = skipped;
    this.waiting = Array.from({ length: input.pool.size }, () => []);
  }

  /** Looks at these directories and all below them, or only at what is new or changed below them. */
  async run(tops: readonly Node[], below: 'all' | 'changed' = 'all'): Promise<void> {
    if (tops.length === 0) return;
    this.below = below;
    const { pool, signal } = this.input;
    this.queue = [...tops].reverse();
    const finished = new Promise<void>((resolve) => {
      this.done = resolve;
    });
    pool.listen((worker, message) => {
      if (message.kind === 'walked') this.receive(worker, asBuffer(message.reports));
    });
    this.feed();
    await Promise.race([finished, pool.failure, aborted(signal)]);
  }

  private feed(): void {
    for (let round = 0; round < AHEAD; round++) {
      for (const [worker, waiting] of this.waiting.entries()) if (waiting.length <= round) this.give(worker);
    }
    if (this.queue.length === 0 && this.waiting.every((batches) => batches.length === 0)) this.done();
  }

  private give(worker: number): void {
    if (this.queue.length === 0) return;
    const share = Math.ceil(this.queue.length / (this.waiting.length * AHEAD));
    const batch = this.queue.splice(-Math.min(BATCH, share)).reverse();
    const paths = new ByteWriter(batch.length * 96);
    for (const { path } of batch) paths.sized(path);
    this.waiting[worker]?.push(batch);
    this.input.pool.send(worker, { kind: 'walk', count: batch.length, paths: paths.finish() });
  }

  private receive(worker: number, reports: Buffer): void {
    const reader = new ByteReader(reports);
    const batch = this.waiting[worker]?.shift() ?? [];
    for (const node of batch) this.take(node, readWalkReport(reader));
    this.feed();
  }

  private take(node: Node, report: WalkReport): void {
    if (report.kind === 'failed') {
      node.kind = report.gone && node.parent?.kind !== 'way' ? 'vanished' : 'kept';
      if (node.kind === 'kept') this.skipped.push({ path: node.path, reason: report.reason });
      return;
    }
    const { listing } = report;
    node.kind = report.kind === 'changed' ? 'listed' : 'as-before';
    if (node.kind === 'listed') node.listing = listing;
    for (const { name, reason } of listing.failed) this.skipped.push({ path: joinPath(node.path, name), reason });
    this.queue.push(...this.directoriesIn(node, listing).reverse());
  }

  /** Sets the node's children, and returns those that are to be looked at. */
  private directoriesIn(node: Node, listing: Listing): Node[] {
    const { cache } = this.input;
    const record = this.below === 'changed' && node.base && !isNew(node, cache) ? cache.record(node.base) : null;
    const children: Node[] = [];
    const found: Node[] = [];
    for (let i = 0; i < listing.count; i++) {
      const at = i * ROW_LENGTH;
      if (rowType(listing.rows, at) !== TYPE.directory) continue;
      const name = rowName(listing.rows, at, listing.names);
      const there = childNamed(node, name);
      if (there) children.push(there);
      else if (record === null || !isKnown(record, name, listing.rows, at)) {
        const closed = (rowFlags(listing.rows, at) & FLAG.closed) !== 0;
        const child = makeNode(cache, joinPath(node.path, name), node, closed ? 'closed' : 'listed');
        if (closed) child.listing = EMPTY_LISTING;
        else found.push(child);
        children.push(child);
      }
    }
    node.children = children;
    return found;
  }
}

/** Its parent did not have it at the last backup: what the cache still knows of its path is of a directory that was here before. */
export function isNewIn(parent: Node, name: Buffer, cache: Cache): boolean {
  const record = parent.base && cache.record(parent.base);
  const known = record?.find(name) ?? -1;
  return record === null || known < 0 || record.type(known) !== TYPE.directory;
}

function isNew({ parent, name }: Node, cache: Cache): boolean {
  if (parent === null || parent.kind === 'way') return false;
  return isNewIn(parent, name, cache) || isNew(parent, cache);
}

/** A directory whose row is the one of the record has the entries that it had. */
function isKnown(record: DirectoryRecord, name: Buffer, rows: Buffer, at: number): boolean {
  const known = record.find(name);
  return known >= 0 && sameRow(rows, at, record.rows, known * ROW_LENGTH);
}

/** Rejects with the signal's reason. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

export function inWalkOrder(root: Node): Node[] {
  const nodes: Node[] = [];
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    nodes.push(node);
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i] as Node);
  }
  return nodes;
}

/** What changed directories hold. */
export function sizeOf(walk: Walk): { files: number; directories: number; bytes: number } {
  let files = 0;
  let bytes = 0;
  for (const { listing } of walk.nodes) {
    if (listing === null) continue;
    for (let i = 0; i < listing.count; i++) {
      if (rowType(listing.rows, i * ROW_LENGTH) !== TYPE.file) continue;
      files++;
      bytes += rowSize(listing.rows, i * ROW_LENGTH);
    }
  }
  return { files, directories: walk.nodes.length, bytes };
}
