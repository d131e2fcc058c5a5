/**
 * Makes trees out of what the workers report, from the leaves up.
 *
 * ```
 * a job's report -> each of its items that is settled tells the nodes that wait for it
 * a node that waits for nothing more:
 *   live entries = for each entry seen: the record's, or the item's, with the child's tree
 *   gone entries = what the record had and is not there any more, what was gone before, what was handed down
 *   tree chunks (tree-chunks.ts), record into the cache, then the parent
 * ```
 * What could not be read keeps its last known entry; what is known to be removed goes to the gone entries.
 */
import type { Segment } from '../format/tree.ts';
import { MAX_ENTRY_SEGMENTS } from '../format/tree.ts';
import { joinPath, nameOf } from '../source/paths.ts';
import { pathHash, ROW_LENGTH, rowName, rowSize, rowType, TYPE } from '../source/rows.ts';
import type { Xattr } from '../source/source.ts';
import type { Cache, RecordPlace, Totals } from './cache.ts';
import type { ClaimTable } from './claim-table.ts';
import { type Content, idsIn, NO_CONTENT } from './content.ts';
import { goneEntries } from './gone.ts';
import type { HardLinks } from './hard-links.ts';
import { type ItemReport, JobReport } from './job-report.ts';
import { isKnownFile, type KnownFiles, Presence } from './known-files.ts';
import { addTotals, childNamed, NO_TOTALS, type Node } from './node.ts';
import { NOTHING, type RoundPlan, recordEntry } from './plan.ts';
import { DirectoryRecord, type Entry, encodeRecord, fingerprintOfRecord, treeEntry } from './record.ts';
import { Plan } from './shared.ts';
import { losesNothing, type Skip } from './skip.ts';
import type { TreeChunks } from './tree-chunks.ts';

/** An attribute longer than this is left out and reported: an entry has to fit into a chunk. */
const LONGEST_XATTR: number = 1024 * 1024;
const NO_FINGERPRINT: Buffer = Buffer.alloc(16);

/** How far things are: of a finished directory everything is there, of a partial one not yet. */
type View = {
  readonly isSettled: (item: number) => boolean;
  readonly treeOf: (child: Node) => Uint8Array | null;
  readonly totalsOf: (child: Node) => Totals;
  readonly skip: (skip: Skip) => void;
};

export type AssemblerOptions = {
  readonly cache: Cache;
  readonly table: Pick<ClaimTable, 'has'>;
  readonly trees: TreeChunks;
  readonly links: HardLinks;
  readonly known: KnownFiles;
  readonly excluded: (path: Buffer, directory: boolean) => boolean;
  readonly skip: (skip: Skip) => void;
  /** When a deletion is found, ms. */
  readonly now: number;
  /** Gone entries deleted before this are dropped; 0 for never. */
  readonly goneBefore: number;
};

/** What has become of a directory's entries. */
type Assembled = { readonly live: Entry[]; readonly whole: boolean };

export class Assembler {
  private readonly options: AssemblerOptions;
  private readonly plan: Plan;
  private readonly nodes: readonly Node[];
  private readonly round: Pick<RoundPlan, 'owners' | 'others'>;
  private readonly reports: (JobReport | null)[];
  /** Per job how often its report will still be read for entries. */
  private readonly readings: Int32Array;
  private readonly firstItems: number[];
  private readonly settledItems: Uint8Array;
  /** Items that are the same as one whose content is not known yet. */
  private readonly followers = new Map<number, number[]>();
  private readonly jobOfItem: Int32Array;
  private readonly whole: View;
  made = 0;

  /** `nodes` in walk order. */
  constructor(options: AssemblerOptions, nodes: readonly Node[], round: RoundPlan) {
    const { memory } = round;
    this.options = options;
    const { skip } = options;
    this.whole = { isSettled: () => true, treeOf: (child) => child.tree, totalsOf: (child) => child.totals, skip };
    this.plan = new Plan(memory);
    this.nodes = nodes;
    this.round = round;
    this.readings = new Int32Array(memory.jobs);
    this.reports = Array.from({ length: memory.jobs }, () => null);
    this.settledItems = new Uint8Array(memory.items);
    this.jobOfItem = new Int32Array(memory.items);
    this.firstItems = [];
    for (let job = 0; job < memory.jobs; job++) {
      const { first, count } = this.plan.job(job);
      this.firstItems.push(first);
      this.jobOfItem.fill(job, first, first + count);
      this.readings[job] = count;
    }
    for (const [item, others] of round.others)
      this.readings[this.jobOfItem[item] as number] =
        (this.readings[this.jobOfItem[item] as number] as number) + others.length;
  }

  /** Makes all nodes that wait for nothing. */
  start(): void {
    for (let i = this.nodes.length - 1; i >= 0; i--) {
      const node = this.nodes[i] as Node;
      if (node.dirty && node.pending === 0) this.finishUpwards(node);
    }
  }

  /**
   * A root tree of what is there so far: entries that are not settled stand as the last backup knew them, or not at all. It is remembered
   * for each directory without a fingerprint, so that it is looked at again.
   */
  partialRoot(): { tree: Uint8Array; totals: Totals } | null {
    const made = new Map<Node, { tree: Uint8Array; totals: Totals }>();
    const view: View = {
      isSettled: (item) => this.settledItems[item] === 1,
      treeOf: (child) => (child.dirty ? (made.get(child)?.tree ?? null) : child.tree),
      totalsOf: (child) => (child.dirty ? (made.get(child)?.totals ?? NO_TOTALS) : child.totals),
      skip: () => {},
    };
    for (let i = this.nodes.length - 1; i >= 0; i--) {
      const node = this.nodes[i] as Node;
      if (!node.dirty) continue;
      const tree = this.partialTree(node, view);
      if (tree) made.set(node, tree);
    }
    const root = this.nodes[0] as Node;
    return made.get(root) ?? null;
  }

  private partialTree(node: Node, view: View): { tree: Uint8Array; totals: Totals } | null {
    const { cache, trees } = this.options;
    const record = node.base && cache.record(node.base);
    const { live } = this.assemble(node, record, view);
    if (live.length === 0 && record === null) return null;
    const gone = this.gone(node, record, live);
    const tree = trees.directory(live.map(treeEntry), gone.map(treeEntry));
    const totals = this.totals(node, live, view);
    const state = { fingerprint: NO_FINGERPRINT, tree, totals, oldestGone: oldestOf(gone) };
    cache.put(pathHash(node.path), state, encodeRecord(node.path, live, gone));
    return { tree, totals };
  }

  take(job: number, bytes: Buffer): void {
    const report = new JobReport(bytes);
    this.reports[job] = report;
    for (const { id, length } of report.bundles()) this.options.cache.setBundle(id, length);
    const first = this.firstItems[job] as number;
    for (let i = 0; i < report.count; i++) this.settle(first + i, report.sameAs(i));
  }

  private settle(item: number, same: number): void {
    if (same >= 0 && !isKnownFile(same) && this.settledItems[same] === 0) {
      const waiting = this.followers.get(same);
      if (waiting) waiting.push(item);
      else this.followers.set(same, [item]);
      return;
    }
    this.settledItems[item] = 1;
    this.arrived(this.nodes[this.round.owners[item] as number] as Node);
    for (const node of this.round.others.get(item) ?? []) this.arrived(node);
    const followers = this.followers.get(item);
    this.followers.delete(item);
    for (const follower of followers ?? []) this.settle(follower, -1);
  }

  private arrived(node: Node): void {
    node.pending--;
    if (node.pending === 0) this.finishUpwards(node);
  }

  private finishUpwards(from: Node): void {
    for (let node: Node | null = from; node?.dirty; ) {
      this.finish(node);
      const parent: Node | null = node.parent;
      if (parent === null) return;
      parent.pending--;
      if (parent.pending > 0) return;
      node = parent;
    }
  }

  private finish(node: Node): void {
    const { cache, trees } = this.options;
    const record = node.base && cache.record(node.base);
    const { live, whole } = this.assemble(node, record, this.whole);
    const gone = this.gone(node, record, live);
    node.handedDown = [];
    node.tree = trees.directory(live.map(treeEntry), gone.map(treeEntry));
    node.totals = this.totals(node, live, this.whole);
    this.remember(node, live, gone, whole);
    this.letGo(node.sources as Int32Array);
    node.dirty = false;
    node.sources = null;
    if (node.kind !== 'listed') return;
    node.kind = 'as-before';
    node.listing = null;
  }

  /** A report whose entries all lie in records by now is not kept. */
  private letGo(sources: Int32Array): void {
    for (const source of sources) {
      if (source < 0) continue;
      const job = this.jobOfItem[source] as number;
      this.readings[job] = (this.readings[job] as number) - 1;
      if (this.readings[job] === 0) this.reports[job] = null;
    }
  }

  private remember(node: Node, live: Entry[], gone: Entry[], whole: boolean): void {
    const { cache } = this.options;
    const bytes = encodeRecord(node.path, live, gone);
    const record = new DirectoryRecord(bytes);
    const state = {
      fingerprint: whole ? fingerprintOfRecord(record) : NO_FINGERPRINT,
      tree: node.tree as Uint8Array,
      oldestGone: oldestOf(gone),
      totals: node.totals,
    };
    const key = pathHash(node.path);
    node.base = cache.put(key, state, bytes);
    node.cacheRow = cache.find(key);
    this.made++;
  }

  private assemble(node: Node, record: DirectoryRecord | null, view: View): Assembled {
    const live: Entry[] = [];
    let whole = true;
    const rows = node.listing?.rows ?? (record as DirectoryRecord).rows;
    const names = node.listing?.names ?? (record as DirectoryRecord).names;
    const sources = node.sources as Int32Array;
    for (let i = 0; i < sources.length; i++) {
      const row = rows.subarray(i * ROW_LENGTH, (i + 1) * ROW_LENGTH);
      const entry = this.entry(node, rowName(row, 0, names), row, sources[i] as number, record, view);
      if (entry === null || entry.again) whole = false;
      if (entry !== null) live.push(entry);
    }
    const carried = this.carryFailed(node, record);
    if (carried === null) return { live, whole };
    return { live: [...live, ...carried].sort((a, b) => a.name.compare(b.name)), whole: false };
  }

  /** What the walk could not look at stays as it was; `null` if it could look at everything. */
  private carryFailed(node: Node, record: DirectoryRecord | null): Entry[] | null {
    const failed = (node.listing?.failed ?? []).filter((failed) => !losesNothing(failed));
    if (failed.length === 0) return null;
    return failed.map(({ name }) => this.lastKnown(record, name, null)).filter((entry) => entry !== null);
  }

  private entry(
    node: Node,
    name: Buffer,
    row: Buffer,
    source: number,
    record: DirectoryRecord | null,
    view: View,
  ): Entry | null {
    const child = rowType(row, 0) === TYPE.directory ? childNamed(node, name) : null;
    if (child?.kind === 'vanished') return null;
    const tree = child && child.kind !== 'kept' ? view.treeOf(child) : null;
    if (child && tree === null) return this.lastKnown(record, name, TYPE.directory);
    const entry =
      source < 0
        ? this.fromRecord(node, name, row, source, record)
        : this.fromItem(node, name, row, source, record, view);
    return entry && tree ? { ...entry, content: { ...entry.content, tree } } : entry;
  }

  private fromRecord(node: Node, name: Buffer, row: Buffer, source: number, record: DirectoryRecord | null): Entry {
    const { links } = this.options;
    if (source === NOTHING || record === null) {
      return { name, row, content: NO_CONTENT, group: links.groupOf(row), again: false, deleted: 0 };
    }
    const k = recordEntry(source);
    const group = node.listing === null ? record.group(k) : links.groupOf(row);
    return { name, row, content: record.content(k), group, again: record.again(k), deleted: 0 };
  }

  private fromItem(
    node: Node,
    name: Buffer,
    row: Buffer,
    item: number,
    record: DirectoryRecord | null,
    view: View,
  ): Entry | null {
    if (!view.isSettled(item)) {
      const known = this.lastKnown(record, name, rowType(row, 0));
      // Of a directory only the attributes are to come.
      return known || rowType(row, 0) !== TYPE.directory
        ? known
        : { name, row, content: NO_CONTENT, group: 0, again: true, deleted: 0 };
    }
    const report = this.report(item);
    if (report.kind === 'failed') {
      view.skip({ path: joinPath(node.path, name), reason: report.gone ? 'vanished' : report.reason });
      return report.gone ? null : this.lastKnown(record, name, rowType(row, 0));
    }
    const after = report.row ?? row;
    if (report.note) view.skip({ path: joinPath(node.path, name), reason: `attributes: ${report.note}` });
    const content = this.contentOf(node, name, report, view);
    const again = report.again || report.note !== '';
    return { name, row: after, content, group: this.options.links.groupOf(after), again, deleted: 0 };
  }

  /** The record's entry, to be looked at again, if all its chunks are there. */
  private lastKnown(record: DirectoryRecord | null, name: Buffer, type: number | null): Entry | null {
    const known = record?.find(name) ?? -1;
    if (record === null || known < 0 || (type !== null && record.type(known) !== type)) return null;
    return new Presence(this.options.table, record).has(known) ? { ...record.entry(known), again: true } : null;
  }

  private report(item: number): ItemReport {
    const job = this.jobOfItem[item] as number;
    return (this.reports[job] as JobReport).item(item - (this.firstItems[job] as number));
  }

  private contentOf(node: Node, name: Buffer, report: Done, view: View): Content {
    let content = report.content;
    if (report.kind === 'same') content = { ...content, segments: this.segmentsOf(report.value) };
    const { segments, xattrs } = content;
    if (segments && segments.length > MAX_ENTRY_SEGMENTS) {
      content = { ...content, segments: undefined, list: this.options.trees.list(segments) };
    }
    return xattrs ? { ...content, xattrs: this.limitXattrs(node, name, xattrs, view) } : content;
  }

  private segmentsOf(value: number): readonly Segment[] {
    if (isKnownFile(value)) return this.options.known.segments(this.options.cache, value);
    return this.contentOfItem(value).segments ?? [];
  }

  /** From the item's report, or from the record that it went into. */
  private contentOfItem(item: number): Content {
    if (this.reports[this.jobOfItem[item] as number]) {
      const report = this.report(item);
      return report.kind === 'failed' ? NO_CONTENT : report.content;
    }
    const { base } = this.nodes[this.round.owners[item] as number] as Node;
    const record = this.options.cache.record(base as RecordPlace);
    return record.content(record.find(nameOf(this.plan.item(item).path)));
  }

  private limitXattrs(node: Node, name: Buffer, xattrs: readonly Xattr[], view: View): readonly Xattr[] | undefined {
    const fitting = xattrs.filter(([, value]) => value.length <= LONGEST_XATTR);
    if (fitting.length < xattrs.length) view.skip({ path: joinPath(node.path, name), reason: 'attribute too long' });
    return fitting.length > 0 ? fitting : undefined;
  }

  private gone(node: Node, record: DirectoryRecord | null, live: readonly Entry[]): Entry[] {
    if (node.kind === 'way' || (record === null && node.handedDown.length === 0)) return [];
    const { table, now, goneBefore, excluded } = this.options;
    const presence = record && new Presence(table, record);
    const handedDown = node.handedDown.filter(({ content }) => idsIn(content).every((id) => table.has(id)));
    return goneEntries(record, handedDown, live, {
      now,
      goneBefore,
      excluded: (name, directory) => excluded(joinPath(node.path, name), directory),
      present: (entry) => presence?.has(entry) === true,
    });
  }

  private totals(node: Node, live: readonly Entry[], view: View): Totals {
    let totals: Totals = NO_TOTALS;
    for (const { name, row } of live) {
      totals = addTotals(totals, totalsOf(row));
      if (rowType(row, 0) === TYPE.directory) totals = addTotals(totals, this.totalsBelow(node, name, view));
    }
    return totals;
  }

  /** A directory that this run did not look at holds what it held. */
  private totalsBelow(node: Node, name: Buffer, view: View): Totals {
    const child = childNamed(node, name);
    if (child) return view.totalsOf(child);
    const { cache } = this.options;
    const row = cache.find(pathHash(joinPath(node.path, name)));
    return row < 0 ? NO_TOTALS : cache.totals(row);
  }
}

type Done = Exclude<ItemReport, { kind: 'failed' }>;

const oldestOf = (gone: readonly Entry[]): number =>
  gone.reduce((oldest, { deleted }) => (oldest === 0 ? deleted : Math.min(oldest, deleted)), 0);

function totalsOf(row: Buffer): Totals {
  const type = rowType(row, 0);
  if (type === TYPE.file) return { files: 1, directories: 0, others: 0, bytes: rowSize(row, 0) };
  return type === TYPE.directory ? { ...NO_TOTALS, directories: 1 } : { ...NO_TOTALS, others: 1 };
}
