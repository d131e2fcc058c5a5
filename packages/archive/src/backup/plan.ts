/**
 * What a round has to do: which directories need their tree made, and which of their entries must be looked at.
 *
 * ```
 * children before parents: is the node dirty?       changed, its tree not present, a child dirty, a deletion expired,
 *                                                   deleted entries handed down
 * parents before children: for each entry of a dirty node
 *   same row as in the record, its chunks present   -> taken from there
 *   a further link of a file of this plan           -> that file's item
 *   else                                            -> an item of a job: small ones in batches, large ones alone
 * ```
 * The borders of batches depend on the walk alone, so that bundles do (format §3.4).
 */
import { SMALL_FILE } from '../format/tree.ts';
import {
  fingerprintOf,
  ROW_LENGTH,
  rowDevice,
  rowInode,
  rowLinks,
  rowName,
  rowSize,
  rowType,
  sameRow,
  TYPE,
} from '../source/rows.ts';
import { nativeAvailable } from '../system/native.ts';
import type { Cache } from './cache.ts';
import type { ClaimTable } from './claim-table.ts';
import type { HardLinks } from './hard-links.ts';
import { BATCH_BYTES } from './job-runner.ts';
import { Presence } from './known-files.ts';
import { NO_TOTALS, type Node } from './node.ts';
import type { DirectoryRecord } from './record.ts';
import { JOB, type PlanMemory, PlanWriter } from './shared.ts';

const BATCH_FILES = 512;
/** Nothing to look at, nothing to take over. */
export const NOTHING: number = -0x8000_0000;
/** In `Node.sources`: entry `k` of the record, as a negative number. */
export const fromRecord = (k: number): number => -1 - k;
export const recordEntry = (source: number): number => -1 - source;

export type RoundInput = {
  readonly nodes: readonly Node[];
  readonly cache: Cache;
  readonly table: Pick<ClaimTable, 'has'>;
  readonly links: HardLinks;
  /** Entries deleted before this are dropped, ms; 0 for never. */
  readonly goneBefore: number;
  /** Entries whose content is to be stored anew although it is there. */
  readonly dissolve: ((record: DirectoryRecord, entry: number) => boolean) | null;
};

export type RoundPlan = {
  readonly memory: PlanMemory;
  /** For each item the index of the node that has it. */
  readonly owners: Int32Array;
  /** Other nodes that wait for an item, a further link of the same file. */
  readonly others: ReadonlyMap<number, readonly Node[]>;
  /** Bytes to be read, as the walk saw them. */
  readonly bytes: number;
  readonly dirty: number;
};

/** Children before parents: sets `dirty`, and tree and totals of what stays. */
export function markDirty(input: RoundInput): void {
  const { nodes } = input;
  for (let i = nodes.length - 1; i >= 0; i--) markNode(input, nodes[i] as Node);
}

function markNode({ cache, table, goneBefore }: RoundInput, node: Node): void {
  node.sources = null;
  node.pending = 0;
  node.dirty = false;
  if (node.kind === 'vanished') return;
  const row = node.cacheRow;
  if (node.kind === 'kept') {
    node.totals = row < 0 ? NO_TOTALS : cache.totals(row);
    return;
  }
  if (row >= 0 && isAsBefore(cache, node)) {
    const tree = cache.tree(row);
    const oldest = cache.oldestGone(row);
    const expired = oldest > 0 && oldest < goneBefore;
    const child = node.children.some((c) => c.dirty || c.kind === 'vanished');
    const same = !child && !expired && !node.dissolving && node.handedDown.length === 0;
    if (same && table.has(tree)) {
      node.tree = tree;
      node.totals = cache.totals(row);
      return;
    }
  }
  node.dirty = true;
}

function isAsBefore(cache: Cache, node: Node): boolean {
  if (node.kind === 'as-before') return true;
  if (node.listing === null || node.kind === 'listed') return false;
  return cache.fingerprint(node.cacheRow).equals(fingerprintOf(node.listing.rows, node.listing.names));
}

/** Parents before children: gives every entry of a dirty node its source, and makes the jobs. */
export function planRound(input: RoundInput): RoundPlan {
  const planner = new Planner(input);
  for (const [index, node] of input.nodes.entries()) if (node.dirty) planner.plan(node, index);
  return planner.finish();
}

type Wanted = {
  readonly node: Node;
  readonly index: number;
  readonly entry: number;
  readonly name: Buffer;
  readonly type: number;
  readonly size: number;
};

class Planner {
  private readonly input: RoundInput;
  private readonly writer = new PlanWriter();
  private owners = new Int32Array(1024);
  private readonly others = new Map<number, Node[]>();
  private batch: Wanted[] = [];
  private batchBytes = 0;
  private bytes = 0;
  private dirty = 0;
  private index = 0;
  /** Files with several links: who asked for them first, and who else did. */
  private readonly linked = new Map<string, { first: Wanted; others: Wanted[] }>();

  constructor(input: RoundInput) {
    this.input = input;
  }

  /** `index` is the node's in walk order. */
  plan(node: Node, index: number): void {
    this.dirty++;
    this.index = index;
    for (const child of node.children) if (child.dirty) node.pending++;
    const record = node.base && this.input.cache.record(node.base);
    if (node.listing === null) this.planRecord(node, record as DirectoryRecord);
    else this.planListing(node, node.listing.rows, node.listing.names, node.listing.count, record);
  }

  finish(): RoundPlan {
    this.flush();
    for (const { first, others } of this.linked.values()) {
      const item = first.node.sources?.[first.entry] as number;
      for (const other of others) this.assign(other, item);
      if (others.length > 0)
        this.others.set(
          item,
          others.map(({ node }) => node),
        );
    }
    const { bytes, dirty, others } = this;
    return { memory: this.writer.finish(), owners: this.owners, others, bytes, dirty };
  }

  /** Nothing of it changed: only content that is missing, or is to be stored anew, is read. */
  private planRecord(node: Node, record: DirectoryRecord): void {
    const presence = new Presence(this.input.table, record);
    const sources = new Int32Array(record.live);
    node.sources = sources;
    for (let i = 0; i < record.live; i++) {
      sources[i] = fromRecord(i);
      if (record.type(i) !== TYPE.file || this.isGood(record, presence, i)) continue;
      this.input.links.note(record.rows, i * ROW_LENGTH);
      this.want(node, i, record.rows, record.names);
    }
  }

  private planListing(node: Node, rows: Buffer, names: Buffer, count: number, record: DirectoryRecord | null): void {
    const presence = record && new Presence(this.input.table, record);
    const sources = new Int32Array(count);
    node.sources = sources;
    for (let i = 0, k = 0; i < count; i++) {
      const at = i * ROW_LENGTH;
      const name = rowName(rows, at, names);
      while (record && k < record.live && record.name(k).compare(name) < 0) k++;
      const known = record && k < record.live && record.name(k).equals(name) ? k : -1;
      const same = known >= 0 && sameRow(rows, at, (record as DirectoryRecord).rows, known * ROW_LENGTH);
      this.input.links.note(rows, at, known >= 0 ? (record as DirectoryRecord).group(known) : 0);
      if (same && this.isGood(record as DirectoryRecord, presence as Presence, known)) sources[i] = fromRecord(known);
      else if (rowType(rows, at) === TYPE.file || rowType(rows, at) === TYPE.symlink || nativeAvailable)
        this.want(node, i, rows, names);
      else sources[i] = NOTHING;
    }
  }

  private isGood(record: DirectoryRecord, presence: Presence, entry: number): boolean {
    if (record.type(entry) === TYPE.directory) return true;
    if (record.again(entry) || !presence.has(entry)) return false;
    return !this.input.dissolve?.(record, entry);
  }

  private want(node: Node, entry: number, rows: Buffer, names: Buffer): void {
    const at = entry * ROW_LENGTH;
    const type = rowType(rows, at);
    const size = type === TYPE.file ? rowSize(rows, at) : 0;
    const wanted = { node, index: this.index, entry, name: rowName(rows, at, names), type, size };
    if (type === TYPE.file && rowLinks(rows, at) > 1 && this.isLinked(wanted, rows, at)) return;
    this.bytes += size;
    if (size < SMALL_FILE) {
      if (this.batchBytes + size > BATCH_BYTES || this.batch.length === BATCH_FILES) this.flush();
      this.batch.push(wanted);
      this.batchBytes += size;
      return;
    }
    this.writer.job(JOB.large);
    this.writer.directory(node.path);
    this.write(wanted);
  }

  /** Every link of a file after the first takes over what becomes of the first. */
  private isLinked(wanted: Wanted, rows: Buffer, at: number): boolean {
    const key = `${rowDevice(rows, at)}:${rowInode(rows, at)}`;
    const linked = this.linked.get(key);
    if (linked) linked.others.push(wanted);
    else this.linked.set(key, { first: wanted, others: [] });
    return linked !== undefined;
  }

  private flush(): void {
    if (this.batch.length === 0) return;
    this.writer.job(JOB.batch);
    let directory: Node | null = null;
    for (const wanted of this.batch) {
      if (wanted.node !== directory) this.writer.directory(wanted.node.path);
      directory = wanted.node;
      this.write(wanted);
    }
    this.batch = [];
    this.batchBytes = 0;
  }

  private write(wanted: Wanted): void {
    const item = this.writer.item(wanted.name, wanted.type, wanted.size);
    if (item === this.owners.length) {
      const larger = new Int32Array(item * 2);
      larger.set(this.owners);
      this.owners = larger;
    }
    this.owners[item] = wanted.index;
    this.assign(wanted, item);
  }

  private assign({ node, entry }: Wanted, item: number): void {
    (node.sources as Int32Array)[entry] = item;
    node.pending++;
  }
}
