/**
 * The cache as the last snapshot has it, when this machine has none, or one of an older snapshot. What comes out of it saves little reading, since times of
 * inodes are unknown, but every small file's id is known again, so that nothing is stored twice, and so are the deleted entries.
 *
 * ```
 * from the root, level by level: read the trees that the cache does not have (and their parts and gone trees) · a record for each
 *   an entry that the cache's record has too keeps its row: it need not be read again
 * from the leaves up: totals
 * ```
 * A chunk that is missing leaves what is below it as the cache has it.
 */
import type { ArchiveEndpoint } from '../endpoint/endpoint.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import { equalBytes } from '../format/ids.ts';
import { joinPath, ROOT } from '../source/paths.ts';
import { pathHash, sameFile } from '../source/rows.ts';
import type { Cache, Totals } from './cache.ts';
import { addTotals, NO_TOTALS } from './node.ts';
import { type DirectoryRecord, type Entry, encodeRecord } from './record.ts';
import { AT_ONCE, StoredDirectories } from './stored-directories.ts';

const NO_FINGERPRINT: Buffer = Buffer.alloc(16);

type Directory = {
  readonly path: Buffer;
  readonly tree: Uint8Array;
  readonly parent: Directory | null;
  totals: Totals;
};
type Found = { readonly directories: number; readonly missing: number };

export async function recoverCache(
  cache: Cache,
  root: Uint8Array,
  endpoint: Pick<ArchiveEndpoint, 'openSession'>,
  crypto: ArchiveCrypto,
  signal: AbortSignal,
): Promise<Found> {
  const stored = new StoredDirectories(endpoint, crypto, signal);
  try {
    return await new Recovery(cache, stored).run(root);
  } finally {
    await stored.close();
  }
}

class Recovery {
  private readonly cache: Cache;
  private readonly stored: StoredDirectories;
  private readonly done: { directory: Directory; live: Entry[]; gone: Entry[] }[] = [];

  constructor(cache: Cache, stored: StoredDirectories) {
    this.cache = cache;
    this.stored = stored;
  }

  async run(root: Uint8Array): Promise<Found> {
    let level: Directory[] = [{ path: ROOT, tree: root, parent: null, totals: NO_TOTALS }];
    while (level.length > 0) {
      const next: Directory[] = [];
      for (let at = 0; at < level.length; at += AT_ONCE)
        next.push(...(await this.readSome(level.slice(at, at + AT_ONCE))));
      level = next;
    }
    for (const { directory, live, gone } of this.done.reverse()) this.remember(directory, live, gone);
    return { directories: this.done.length, missing: this.stored.missing };
  }

  /** Returns the sub-directories. */
  private async readSome(directories: readonly Directory[]): Promise<Directory[]> {
    const found = await this.stored.read(directories.map(({ tree }) => tree));
    const below: Directory[] = [];
    for (const [i, directory] of directories.entries()) {
      const held = found[i];
      if (!held) continue;
      this.done.push({ directory, ...held });
      for (const { name, content } of held.live) {
        const { tree } = content;
        const path = joinPath(directory.path, name);
        if (tree && !this.isKnown(path, tree, directory))
          below.push({ path, tree, parent: directory, totals: NO_TOTALS });
      }
    }
    return below;
  }

  /** All below it is known too, and counted here. */
  private isKnown(path: Buffer, tree: Uint8Array, parent: Directory): boolean {
    const row = this.cache.find(pathHash(path));
    if (row < 0 || !equalBytes(this.cache.tree(row), tree)) return false;
    parent.totals = addTotals(parent.totals, this.cache.totals(row));
    return true;
  }

  private remember(directory: Directory, live: Entry[], gone: Entry[]): void {
    for (const { row } of live) directory.totals = addTotals(directory.totals, ownTotals(row));
    if (directory.parent) directory.parent.totals = addTotals(directory.parent.totals, directory.totals);
    const deletions = gone.map(({ deleted }) => deleted);
    const state = {
      fingerprint: NO_FINGERPRINT,
      tree: directory.tree,
      totals: directory.totals,
      oldestGone: deletions.length === 0 ? 0 : Math.min(...deletions),
    };
    for (const { content } of [...live, ...gone]) {
      for (const { id, offset, length } of content.fileId ? (content.segments ?? []) : []) {
        this.cache.setBundle(id, Math.max(offset + length, this.cache.bundleLength(id) ?? 0));
      }
    }
    const key = pathHash(directory.path);
    const row = this.cache.find(key);
    const before = row < 0 ? null : this.cache.record(this.cache.place(row));
    const entries = before ? live.map((entry) => withKnownRow(entry, before)) : live;
    this.cache.put(key, state, encodeRecord(directory.path, entries, gone));
  }
}

/** The record's entry, if it is of the same content and attributes. */
function withKnownRow(entry: Entry, before: DirectoryRecord): Entry {
  const i = before.find(entry.name);
  if (i < 0) return entry;
  const known = before.entry(i);
  if (known.group !== entry.group || !sameFile(known.row, entry.row)) return entry;
  return bytesOf({ ...entry, row: known.row, again: known.again }).equals(bytesOf(known)) ? known : entry;
}

const bytesOf = (entry: Entry): Buffer => encodeRecord(ROOT, [entry], []);

function ownTotals(row: Buffer): Totals {
  if (row[0] === 0) return { ...NO_TOTALS, files: 1, bytes: row.readDoubleLE(32) };
  return row[0] === 1 ? { ...NO_TOTALS, directories: 1 } : { ...NO_TOTALS, others: 1 };
}
