// Does the policy explain what a server retired? An agent makes the plan again, as it must have looked at that time, from the snapshots
// and tombstones that it is shown (ARCHIVE §4).
//
// It can: a plan stays the same when snapshots that it retired before are added, and the snapshot that made another one dispensable
// is either still there or left its tombstone later than that one.

import type { RetentionHold } from './holds.ts';
import { planRetention, type RetentionSnapshot } from './plan.ts';
import type { RetentionPolicy } from './policy.ts';

export type RetiredSnapshot = RetentionSnapshot & {
  /** As in the tombstone (format §6.3). */
  readonly reason: string;
  readonly retiredAt: number;
};

/**
 * The tombstones that `policy` does not explain, in their order. A purge is the act of a person and is never explained by a policy. Tombstones of a
 * time when another policy was in force are for the caller to sort out.
 */
export function unexplainedTombstones<T extends RetiredSnapshot>(
  present: readonly RetentionSnapshot[],
  tombstones: readonly T[],
  policy: RetentionPolicy,
  holds: readonly RetentionHold[] = [],
): T[] {
  const all = [...present, ...tombstones];
  const plans = new Map<number, ReadonlyMap<string, string>>();
  const retiredAt = (time: number): ReadonlyMap<string, string> => {
    const known = plans.get(time);
    if (known !== undefined) return known;
    const then = all.filter((snapshot) => snapshot.receivedAt <= time);
    const { retire } = planRetention(then, policy, time, holds);
    const plan = new Map(retire.map(({ id, reason }) => [id, reason]));
    plans.set(time, plan);
    return plan;
  };
  return tombstones.filter(({ id, reason, retiredAt: time }) => retiredAt(time).get(id) !== reason);
}
