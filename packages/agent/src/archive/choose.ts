import { AgentError } from '../errors.ts';
import { type NamedSet, unknownSet } from '../sets/unknown-set.ts';
import type { Snapshot } from './snapshots.ts';

/**
 * Which snapshots a person means, and for which of the paths that were named. Pure.
 *
 * ```
 * an id                 that one
 * otherwise, per set    the newest whole one up to the time asked for; an interim one only where there is no whole one
 * a path                the newest of these whose selection holds it
 * no path               all of these
 * ```
 */
export type Wanted = {
  /** First digits of a snapshot's id. */
  readonly id?: string;
  /** ms; the newest up to then. */
  readonly at?: number;
  /** Name or id of a set. */
  readonly set?: string;
  /** Sets that exist although nothing of them may have been backed up yet. */
  readonly ownSets?: readonly NamedSet[];
  /** Id of a device; every device where nothing is said. */
  readonly device?: string;
  /** As in a snapshot: no slash in front. */
  readonly paths: readonly string[];
};

export type Point = {
  readonly snapshot: Snapshot;
  /** Those that were asked for; all of the snapshot where none was. */
  readonly paths: readonly string[];
};

export function choosePoints(snapshots: readonly Snapshot[], wanted: Wanted): Point[] {
  if (wanted.id !== undefined) return [{ snapshot: byId(snapshots, wanted.id), paths: wanted.paths }];
  const newest = newestOfEachSet(matching(snapshots, wanted), wanted.at);
  if (newest.length === 0) throw new AgentError('snapshot_none');
  if (wanted.paths.length === 0) return newest.map((snapshot) => ({ snapshot, paths: [] }));
  const points = new Map<Snapshot, string[]>();
  for (const path of wanted.paths) {
    const holder = newest.find((snapshot) => holds(snapshot, path)) ?? newest[0]!;
    points.set(holder, [...(points.get(holder) ?? []), path]);
  }
  return [...points].map(([snapshot, paths]) => ({ snapshot, paths }));
}

/** Of a set that exists nowhere there is not nothing, there is a typing error. */
export function matching(
  snapshots: readonly Snapshot[],
  { set, device, ownSets = [] }: Pick<Wanted, 'set' | 'device' | 'ownSets'>,
): Snapshot[] {
  const ofDevice = snapshots.filter((snapshot) => device === undefined || snapshot.device.id === device);
  if (set === undefined) return ofDevice;
  const isMeant = ({ id, name }: NamedSet) => name === set || id === set;
  const sets = [...ofDevice.map((snapshot) => snapshot.set), ...ownSets];
  if (!sets.some(isMeant)) throw unknownSet(set, sets);
  return ofDevice.filter((snapshot) => isMeant(snapshot.set));
}

function byId(snapshots: readonly Snapshot[], id: string): Snapshot {
  const found = snapshots.filter((snapshot) => snapshot.id.startsWith(id.toLowerCase()));
  if (found.length === 0 || id.length < 4)
    throw new AgentError('snapshot_unknown', { what: `No snapshot begins with "${id}"` });
  if (found.length > 1)
    throw new AgentError('snapshot_ambiguous', { what: `${found.length} snapshots begin with "${id}"` });
  return found[0]!;
}

/** Newest set first; several devices may have a set of the same id, which are then two. */
export function newestOfEachSet(snapshots: readonly Snapshot[], at = Number.POSITIVE_INFINITY): Snapshot[] {
  const sets = new Map<string, Snapshot>();
  for (const snapshot of snapshots) {
    if (snapshot.at > at) continue;
    const key = `${snapshot.device.id} ${snapshot.set.id}`;
    const known = sets.get(key);
    const worse = known !== undefined && snapshot.partial && !known.partial;
    if (!worse) sets.set(key, snapshot);
  }
  return [...sets.values()].sort((a, b) => b.at - a.at);
}

/** Selected itself, or below or above what was selected. */
function holds({ description }: Snapshot, path: string): boolean {
  return description.paths.some((bytes) => {
    const root = Buffer.from(bytes).toString('utf8').replace(/^\/+/, '');
    return root === '' || path === root || path.startsWith(`${root}/`) || root.startsWith(`${path}/`);
  });
}
