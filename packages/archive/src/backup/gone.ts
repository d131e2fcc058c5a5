/**
 * Which entries of a directory are gone (format §5.5): what it had before and has no more, what was gone already, and what was handed down to it, until
 * the same name and type appears again or it has been kept long enough. What is excluded now is not kept: nobody deleted it.
 */
import { TYPE } from '../source/rows.ts';
import type { DirectoryRecord, Entry } from './record.ts';

export type GoneRules = {
  /** ms */
  readonly now: number;
  /** Deleted before this: dropped; 0 for never. */
  readonly goneBefore: number;
  readonly excluded: (name: Buffer, directory: boolean) => boolean;
  /** Are the chunks of the record's entry there? Nothing else can bring them back. */
  readonly present: (entry: number) => boolean;
};

/** Sorted by name. `live` is what there is now, sorted by name; `handedDown` are deleted entries of a directory that was here before (hand-down.ts). */
export function goneEntries(
  record: DirectoryRecord | null,
  handedDown: readonly Entry[],
  live: readonly Entry[],
  rules: GoneRules,
): Entry[] {
  const isLive = typesOf(live);
  const fresh = record === null ? [] : newlyGone(record, isLive, rules);
  const still = record === null ? [] : stillGone(record, isLive, rules);
  const down = handedDown.filter(({ name, row }) => !isLive(name, row[0] as number));
  return mergeByName([...fresh, ...still, ...down]);
}

type IsLive = (name: Buffer, type: number) => boolean;

function newlyGone(record: DirectoryRecord, isLive: IsLive, rules: GoneRules): Entry[] {
  const found: Entry[] = [];
  for (let i = 0; i < record.live; i++) {
    const name = record.name(i);
    if (isLive(name, record.type(i))) continue;
    if (rules.excluded(name, record.type(i) === TYPE.directory) || !rules.present(i)) continue;
    // A number of a hard-link group may go to another file from now on.
    found.push({ ...record.entry(i), deleted: rules.now, group: 0, again: false });
  }
  return found;
}

function stillGone(record: DirectoryRecord, isLive: IsLive, rules: GoneRules): Entry[] {
  const kept: Entry[] = [];
  for (let i = record.live; i < record.count; i++) {
    if (isLive(record.name(i), record.type(i)) || !rules.present(i)) continue;
    if (rules.goneBefore > 0 && record.deleted(i) < rules.goneBefore) continue;
    kept.push(record.entry(i));
  }
  return kept;
}

/** Finds by bisection. */
function typesOf(live: readonly Entry[]): IsLive {
  return (name, type) => {
    let low = 0;
    let high = live.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((live[middle] as Entry).name.compare(name) < 0) low = middle + 1;
      else high = middle;
    }
    const entry = live[low];
    return entry?.name.equals(name) === true && entry.row[0] === type;
  };
}

/** One directory and one other entry of each name: of several the one deleted last, of these the first. */
function mergeByName(entries: readonly Entry[]): Entry[] {
  if (entries.length === 0) return [];
  const kept = new Map<string, Entry>();
  for (const entry of entries) {
    const key = `${isDirectory(entry) ? 1 : 0}${entry.name.toString('latin1')}`;
    const other = kept.get(key);
    if (other === undefined || other.deleted < entry.deleted) kept.set(key, entry);
  }
  return [...kept.values()].sort((a, b) => a.name.compare(b.name) || (isDirectory(a) ? 1 : -1));
}

const isDirectory = ({ row }: Entry): boolean => row[0] === TYPE.directory;
