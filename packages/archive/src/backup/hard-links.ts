/**
 * Numbers for files with several links (format §5.2 key 14): the same for all links of a file, different for different files of one
 * snapshot. A number once given stays with its inode, since unchanged trees repeat it; new ones are given in walk order.
 */
import { ROW_LENGTH, rowDevice, rowInode, rowLinks, rowType, TYPE } from '../source/rows.ts';
import type { Cache } from './cache.ts';

export class HardLinks {
  private readonly groups = new Map<string, number>();
  private last = 0;
  private loaded = false;
  private readonly cache: Cache;

  constructor(cache: Cache) {
    this.cache = cache;
  }

  /** Gives the entry a number if it needs one and has none. */
  note(rows: Buffer, at: number): void {
    if (!isLinked(rows, at)) return;
    if (!this.loaded) this.load();
    const key = keyOf(rows, at);
    if (!this.groups.has(key)) this.groups.set(key, ++this.last);
  }

  /** 0 for an entry with one link, or one that was not noted. */
  groupOf(row: Buffer): number {
    return isLinked(row, 0) ? (this.groups.get(keyOf(row, 0)) ?? 0) : 0;
  }

  /** Only a backup that meets a changed file with several links pays for this. */
  private load(): void {
    this.loaded = true;
    for (const row of this.cache.all()) {
      const record = this.cache.record(this.cache.place(row));
      for (let i = 0; i < record.live; i++) {
        const group = record.group(i);
        if (group === 0) continue;
        this.groups.set(keyOf(record.rows, i * ROW_LENGTH), group);
        this.last = Math.max(this.last, group);
      }
    }
  }
}

const isLinked = (rows: Buffer, at: number) => rowLinks(rows, at) > 1 && rowType(rows, at) !== TYPE.directory;
const keyOf = (rows: Buffer, at: number) => `${rowType(rows, at)}:${rowDevice(rows, at)}:${rowInode(rows, at)}`;
