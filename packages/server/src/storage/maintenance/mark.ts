// Marks everything that is reached from some ids over open links.
//
// A pass goes through the tables of all tree packs, newest first, and marks the links of each tree that is marked itself.
// Parents mostly come before their children, so one pass mostly does it. When a tree is marked that the pass has left
// behind, another pass goes through the packs that held unmarked trees. Cycles end because a mark is made once.
//
// A tree counts as marked by its id, in whichever pack: the links of all its locations are followed, so that a second
// location that a device plants with other links takes nothing away. No memory is needed but the two sets.

import { ID_LENGTH, toHex } from '@holdfast/archive/format/ids.ts';
import { IdSet } from '../id-set.ts';
import { START, sift } from '../index/chunks.ts';
import type { Pack } from '../index/packs.ts';
import { prefixOf } from '../index/prefix.ts';
import type { Run } from './run.ts';
import type { TreeTable, TreeTables } from './tree-tables.ts';

/** Trees that must be followed, but whose links nobody can read: what they reach is unknown. */
export class UnreadableTrees extends Error {
  override readonly name = 'UnreadableTrees';
  readonly count: number;

  constructor(count: number) {
    super(`${count} trees that are in use cannot be read`);
    this.count = count;
  }
}

const PAGE = 8192;

export const newMarks = (run: Pick<Run, 'point'>): IdSet => new IdSet(Buffer.from(run.point.random(4)).readUInt32LE());

/** `marks` holds the roots, and in the end all that they reach. Rejects with `UnreadableTrees`. */
export async function markReachable(run: Run, tables: TreeTables, marks: IdSet): Promise<void> {
  const all = await tables.packs();
  const unreadable = new Set<number>();
  let packs = all;
  for (let again = true; again; ) {
    again = false;
    const behind = newMarks(run);
    const left: Pack[] = [];
    for (const [i, pack] of packs.entries()) {
      const table = await tables.read(pack);
      if (!table.complete) unreadable.add(pack.number);
      const { anyLeft, anyMissed } = followTable(table, marks, behind);
      if (anyLeft) left.push(pack);
      again ||= anyMissed;
      run.emit({ kind: 'progress', step: 'mark', done: i + 1, total: packs.length, unit: 'packs' });
    }
    packs = left;
  }
  if (unreadable.size > 0) await requireElsewhere(run, tables, all, unreadable, marks);
}

/** Marks the links of the marked trees of one pack. Were unmarked trees left, and was one marked that was left before? */
function followTable(table: TreeTable, marks: IdSet, behind: IdSet): { anyLeft: boolean; anyMissed: boolean } {
  let anyLeft = false;
  let anyMissed = false;
  for (const { entry } of table.frames) {
    if (!marks.has(entry.id)) {
      behind.add(entry.id);
      anyLeft = true;
      continue;
    }
    const { links } = entry;
    for (let at = 0; at < links.length; at += ID_LENGTH)
      if (marks.add(links, at) && behind.has(links, at)) anyMissed = true;
  }
  return { anyLeft, anyMissed };
}

/** A marked tree in a pack that cannot be read may lie in another one as well. If not, nothing may be called dead. */
async function requireElsewhere(
  run: Run,
  tables: TreeTables,
  packs: readonly Pack[],
  unreadable: ReadonlySet<number>,
  marks: IdSet,
): Promise<void> {
  const wanted = await markedTreesIn(run, [...unreadable], marks);
  for (const pack of packs) {
    if (wanted.size === 0) return;
    if (unreadable.has(pack.number)) continue;
    for (const { entry } of (await tables.read(pack)).frames) wanted.delete(toHex(prefixOf(entry.id)));
  }
  if (wanted.size > 0) throw new UnreadableTrees(wanted.size);
}

async function markedTreesIn({ point, archive }: Run, packs: readonly number[], marks: IdSet): Promise<Set<string>> {
  const found = new Set<string>();
  for (let after: typeof START | null = START; after !== null; ) {
    const from: typeof START = after;
    const page = await point.index.read((on) => sift(on, archive.number, from, PAGE, { packs, trees: true }));
    for (const { prefix } of page.rows) if (marks.has(prefix)) found.add(toHex(prefix));
    after = page.last;
  }
  return found;
}
