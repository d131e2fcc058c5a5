/**
 * Numbers for files with several links (format §5.2 key 14): the same for all links of a file, different for different files of one
 * snapshot. A number once given stays with its inode, since unchanged trees repeat it, or, where the inode is not known any more, with the name
 * that had it; new ones are given in walk order.
 */
import { ROW_LENGTH, rowDevice, rowInode, rowLinks, rowType, TYPE } from '../source/rows.ts';
import type { Cache } from './cache.ts';

export class HardLinks {
  private readonly groups = new Map<string, number>();
  private readonly given = new Set<number>();
  private last = 0;
  private loaded = false;
  private readonly cache: Cache;

  constructor(cache: Cache) {
    this.cache = cache;
  }

  /** Gives the entry a number if it needs one and has none. `before`: what the entry of its name had in the last snapshot. */
  note(rows: Buffer, at: number, before = 0): void {
    if (!isLinked(rows, at)) return;
    if (!this.loaded) this.load();
    const key = keyOf(rows, at);
    if (!this.groups.has(key)) this.give(key, before > 0 && !this.given.has(before) ? before : ++this.last);
  }

  private give(key: string, group: number): void {
    this.groups.set(key, group);
    this.given.add(group);
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
        this.last = Math.max(this.last, group);
        if (rowInode(record.rows, i * ROW_LENGTH) !== UNKNOWN) this.give(keyOf(record.rows, i * ROW_LENGTH), group);
      }
    }
  }
}

/** The inode of an entry that a snapshot told of (recover.ts). */
const UNKNOWN = 0n;

const isLinked = (rows: Buffer, at: number) => rowLinks(rows, at) > 1 && rowType(rows, at) !== TYPE.directory;
const keyOf = (rows: Buffer, at: number) => `${rowType(rows, at)}:${rowDevice(rows, at)}:${rowInode(rows, at)}`;
