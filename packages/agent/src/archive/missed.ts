import type { Point, Wanted } from './choose.ts';
import type { RefusedSnapshot, Snapshot } from './snapshots.ts';

/**
 * Which of the refused snapshots a person may have meant, had they been whole. Pure. What comes in their place is older, and that must
 * never happen silently.
 *
 * ```
 * an id                          one whose id begins like that, if no whole one does
 * of another device, another set no
 * chain known                    no whole one of it, or received (or numbered) after the one that was chosen
 * chain not known                received after one that was chosen; with an unknown time, unless a later one of its chain is whole
 * a time was asked for           only what is known to be from before it
 * ```
 */
export function missedSnapshots(
  refused: readonly RefusedSnapshot[],
  snapshots: readonly Snapshot[],
  chosen: readonly Point[],
  wanted: Wanted,
): RefusedSnapshot[] {
  const { id } = wanted;
  if (id !== undefined) return chosen.length > 0 ? [] : refused.filter((each) => each.id.startsWith(id.toLowerCase()));
  return refused.filter((each) => fits(each, snapshots, wanted) && isMissed(each, snapshots, chosen, wanted));
}

/** As far as is known. The name of a set is sealed: only a whole snapshot of the same set tells it. */
function fits({ device, set }: RefusedSnapshot, snapshots: readonly Snapshot[], wanted: Wanted): boolean {
  const name = snapshots.find((snapshot) => snapshot.set.id === set)?.set.name;
  const isOtherSet = wanted.set !== undefined && set !== wanted.set && name !== undefined && name !== wanted.set;
  return !isOtherSet && (wanted.device === undefined || device === null || device === wanted.device);
}

function isMissed(
  refused: RefusedSnapshot,
  snapshots: readonly Snapshot[],
  chosen: readonly Point[],
  { at: until }: Wanted,
): boolean {
  const { at } = refused;
  if (until !== undefined && (at === null || at > until)) return false;
  const isNewer = ({ snapshot }: Point) => (at === null ? !refused.followed : at > snapshot.at);
  if (refused.set === null) return chosen.length === 0 || chosen.some(isNewer);
  const isOfChain = ({ device, set }: Snapshot) => device.id === refused.device && set.id === refused.set;
  const ofChain = chosen.filter(({ snapshot }) => isOfChain(snapshot));
  if (ofChain.length > 0) return ofChain.some(({ snapshot }) => isAfter(refused, snapshot));
  // A whole one of its chain that was not chosen does not hold what was asked for
  return !snapshots.some((snapshot) => isOfChain(snapshot) && (until === undefined || snapshot.at <= until));
}

const isAfter = ({ sequence, at }: RefusedSnapshot, snapshot: Snapshot): boolean =>
  sequence !== null ? sequence > snapshot.sequence : at !== null && at > snapshot.at;
