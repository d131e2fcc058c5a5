/**
 * The small files that the archive holds already, by the records of the cache: their ids go into the file table before a round, each with a
 * number by which their segments are found when a worker reports "the same as that".
 */
import type { Segment } from '../format/tree.ts';
import type { Cache, RecordPlace } from './cache.ts';
import type { ClaimTable } from './claim-table.ts';
import { FileTable } from './file-table.ts';
import { type DirectoryRecord, SMALLEST_ENTRY } from './record.ts';

/** Values from here on are known files, below it items of the plan. */
const FIRST = 0x8000_0000;
const MAX_KNOWN = 0x7fff_ff00;

/** May the content of an entry of this record be referred to? */
export type Usable = (record: DirectoryRecord) => (entry: number) => boolean;

export class KnownFiles {
  private readonly places: RecordPlace[] = [];
  /** For each known file the index of its record's place, and its entry. */
  private readonly refs: number[] = [];

  fill(cache: Cache, items: number, usable: Usable): FileTable {
    const table = FileTable.forFiles(items + Math.min(this.count(cache), MAX_KNOWN));
    for (const { place, record } of cache.records()) this.addRecord(place, record, table, usable(record));
    return table;
  }

  /** Of a value of the table that stands for a known file. */
  segments(cache: Cache, value: number): readonly Segment[] {
    const at = (value - FIRST) * 2;
    const record = cache.record(this.places[this.refs[at] as number] as RecordPlace);
    return record.content(this.refs[at + 1] as number).segments ?? [];
  }

  /** At most so many entries lie in the records. */
  private count(cache: Cache): number {
    return Math.ceil(cache.recordBytes / SMALLEST_ENTRY);
  }

  private addRecord(
    place: RecordPlace,
    record: DirectoryRecord,
    table: FileTable,
    isUsable: (entry: number) => boolean,
  ): void {
    const { fileIds } = record;
    this.places.push(place);
    for (let i = 0; i < record.count && this.refs.length < MAX_KNOWN; i++) {
      const at = record.fileIdAt(i);
      if (at < 0 || !isUsable(i)) continue;
      const value = FIRST + this.refs.length / 2;
      if (table.getOrSet(fileIds, at, value) < 0) this.refs.push(this.places.length - 1, i);
    }
  }
}

export const isKnownFile = (value: number): boolean => value >= FIRST;

/** Are all chunks of the entry there? Asked for each id of a record once. */
export class Presence {
  private readonly table: Pick<ClaimTable, 'has'>;
  private readonly record: DirectoryRecord;
  private readonly seen: Int8Array;

  constructor(table: Pick<ClaimTable, 'has'>, record: DirectoryRecord) {
    this.table = table;
    this.record = record;
    this.seen = new Int8Array(record.ids.length / 32);
  }

  has(entry: number): boolean {
    let all = true;
    this.record.links(entry, (id) => {
      if (this.seen[id] === 0) this.seen[id] = this.table.has(this.record.ids, id * 32) ? 1 : -1;
      if (this.seen[id] === -1) all = false;
    });
    return all;
  }
}
