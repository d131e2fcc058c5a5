/**
 * Which entries of a directory are gone (format §5.5): what it had before and has no more, and what was gone already, until the same name
 * and type appears again or it has been kept long enough. What is excluded now is not kept: nobody deleted it.
 */
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

const DIRECTORY = 1;

/** Sorted by name. `live` is what there is now, sorted by name. */
export function goneEntries(record: DirectoryRecord, live: readonly Entry[], rules: GoneRules): Entry[] {
  const found: Entry[] = [];
  const isLive = follow(live);
  for (let i = 0; i < record.live; i++) {
    const name = record.name(i);
    if (isLive(name, record.type(i))) continue;
    if (rules.excluded(name, record.type(i) === DIRECTORY) || !rules.present(i)) continue;
    // A number of a hard-link group may go to another file from now on.
    found.push({ ...record.entry(i), deleted: rules.now, group: 0, again: false });
  }
  if (record.gone === 0) return found;
  return mergeByName(found, stillGone(record, live, rules));
}

function stillGone(record: DirectoryRecord, live: readonly Entry[], rules: GoneRules): Entry[] {
  const kept: Entry[] = [];
  const isLive = follow(live);
  for (let i = record.live; i < record.count; i++) {
    if (isLive(record.name(i), record.type(i)) || !rules.present(i)) continue;
    if (rules.goneBefore > 0 && record.deleted(i) < rules.goneBefore) continue;
    kept.push(record.entry(i));
  }
  return kept;
}

/** Answers for names that ascend. */
function follow(live: readonly Entry[]): (name: Buffer, type: number) => boolean {
  let at = 0;
  return (name, type) => {
    while (at < live.length && (live[at] as Entry).name.compare(name) < 0) at++;
    const entry = live[at];
    return entry?.name.equals(name) === true && entry.row[0] === type;
  };
}

/** Of two of one name the newer deletion stays. */
function mergeByName(newer: readonly Entry[], older: readonly Entry[]): Entry[] {
  const names = new Set(newer.map(({ name }) => name.toString('latin1')));
  const all = [...newer, ...older.filter(({ name }) => !names.has(name.toString('latin1')))];
  return all.sort((a, b) => a.name.compare(b.name));
}
