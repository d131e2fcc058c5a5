// Trees and their links, read from the tables of the packs they lie in (ARCHIVE §4): no key, no second copy of the links.
//
// The newest packs come first and each pack's frames last to first, so that most parents come before their children. The
// tables of recently read packs are kept, up to a limit.

import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import type { Archive } from '../index/archives.ts';
import { type Pack, pageOfTreePacks } from '../index/packs.ts';
import { readTable } from '../pack-tables.ts';
import type { StorePoint } from '../store-point.ts';

/** A pack and its frames with links, last to first; `complete` is false when some could not be read. */
export type TreeTable = { readonly pack: Pack; readonly frames: readonly PackedFrame[]; readonly complete: boolean };

const CACHE_BYTES = 32 * 1024 * 1024;
const PACKS_PER_QUERY = 256;

export class TreeTables {
  private readonly point: StorePoint;
  private readonly archive: Archive;
  private readonly signal: AbortSignal | undefined;
  private readonly cache = new Map<number, TreeTable>();
  private cached = 0;

  constructor(point: StorePoint, archive: Archive, signal?: AbortSignal) {
    this.point = point;
    this.archive = archive;
    this.signal = signal;
  }

  /** Every pack with trees that is here now, newest first. */
  async packs(): Promise<Pack[]> {
    const packs: Pack[] = [];
    for (let below = Number.MAX_SAFE_INTEGER; ; ) {
      const from = below;
      const page = await this.point.index.read((on) => pageOfTreePacks(on, this.archive.number, from, PACKS_PER_QUERY));
      packs.push(...page);
      if (page.length < PACKS_PER_QUERY) return packs;
      below = page.at(-1)?.number ?? 0;
    }
  }

  async read(pack: Pack): Promise<TreeTable> {
    const known = this.cache.get(pack.number);
    if (known !== undefined) return known;
    this.signal?.throwIfAborted();
    const table = await readTable(this.point.blobs, this.archive.id, pack, this.signal);
    const all = table.kind === 'missing' ? [] : table.frames;
    const read = {
      pack,
      frames: all.filter(({ entry }) => entry.links.length > 0).reverse(),
      complete: table.kind !== 'missing' && table.damage === null && all.length === pack.frames,
    };
    this.keep(read);
    return read;
  }

  private keep(table: TreeTable): void {
    const size = sizeOf(table);
    if (!table.complete || size > CACHE_BYTES / 4) return;
    this.cache.set(table.pack.number, table);
    this.cached += size;
    for (const [number, oldest] of this.cache) {
      if (this.cached <= CACHE_BYTES) return;
      this.cache.delete(number);
      this.cached -= sizeOf(oldest);
    }
  }
}

/** About: the entries are views of the table that was read. */
const sizeOf = ({ frames }: TreeTable): number => frames.reduce((sum, { entry }) => sum + entry.links.length + 200, 0);
