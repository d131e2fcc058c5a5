/**
 * Makes a name at the target free for an entry of the archive, as the mode for existing files says (existing.ts), or lists why it stays
 * taken.
 */
import type { TreeEntry } from '../format/tree.ts';
import type { FileTarget, TargetDirectory } from '../target/file-target.ts';
import { asideName, deletedName, type ExistingMode } from './existing.ts';
import type { Report } from './report.ts';
import { pathOf, type WalkDirectory } from './walk.ts';

/** Where an entry of the archive belongs at the target. */
export type Spot = {
  readonly at: TargetDirectory;
  readonly name: Uint8Array;
  readonly entry: TreeEntry;
  /** The directory of the walk that holds the entry. */
  readonly walked: WalkDirectory;
};

/** A deleted entry whose name a live one has gets another name. */
export function spotOf(at: TargetDirectory, walked: WalkDirectory, entry: TreeEntry, collides: boolean): Spot {
  const { name, deleted } = entry;
  return { at, walked, entry, name: collides && deleted !== undefined ? deletedName(name, deleted) : name };
}

/** In the archive, for people; made only when there is something to tell. */
export const shown = ({ walked, entry }: Pick<Spot, 'walked' | 'entry'>): Uint8Array => pathOf(walked, entry);

export type RoomOptions = {
  readonly target: FileTarget;
  readonly report: Report;
  readonly existing: ExistingMode;
  readonly now: () => number;
};

const MAX_ASIDE = 100;

/** False, and listed, when the name stays taken. */
export function makeRoom(options: RoomOptions, spot: Spot): boolean {
  switch (options.existing) {
    case 'skip':
      options.report.skip(shown(spot), 'exists');
      return false;
    case 'rename':
      return moveAside(options, spot);
    case 'overwrite':
      return removeExisting(options, spot);
    default:
      return options.existing satisfies never;
  }
}

function moveAside({ target, report, now }: RoomOptions, spot: Spot): boolean {
  for (let attempt = 1; attempt <= MAX_ASIDE; attempt++) {
    const to = asideName(spot.name, now(), attempt);
    if (!target.rename(spot.at, spot.name, to)) continue;
    report.rename(shown(spot), to);
    return true;
  }
  report.skip(shown(spot), 'failed', 'no free name for what is there');
  return false;
}

function removeExisting({ target, report }: RoomOptions, spot: Spot): boolean {
  try {
    target.remove(spot.at, spot.name);
    return true;
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
    report.skip(shown(spot), 'in_the_way');
    return false;
  }
}
