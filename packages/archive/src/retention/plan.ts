// Which snapshots retention keeps: a pure plan, computed the same by server and agent. It also runs in a browser.
//
// Nouns: a *chain* (the snapshots of one device, set and destination), a *tier* of the policy, a *bucket* (one interval of a tier, aligned to
// UTC so that it is the same whenever the plan is made).
//
//   for each chain:
//     for each tier, for each of its buckets that is not older than the tier as a whole:
//       keep the last complete snapshot of the bucket
//     keep the newest complete snapshot, whatever its age
//     keep a partial snapshot until a later complete one is there
//     keep what is held
//
// Everything counts by the time of receipt; a device's own clock could be set to age its history away.
//
// Why each tier marks in all of its buckets, not only in those of a certain age: what a coarse tier will want to keep one day must not be
// dropped by a fine one before. The last of a week is the last of its day and of its quarter hour as well, but the last of 30 days
// may lie in the middle of a week; it stays beside that week's own. So thinning daily, or once after years, leaves the same
// snapshots, and after every dropped snapshot one of the same bucket is left: no gap is opened that is as long as the tier's interval.
//
// Why the last of a bucket and not the first: the newest snapshot is kept anyway and is the last of its buckets, so an interval that is
// still running has one snapshot in it, not two. While it runs a later snapshot takes the place of the one before; once it is over its
// choice never changes. A bucket that reaches into the tier's age counts as a whole, since half a bucket would choose anew each day.

import { ArchiveError } from '../errors.ts';
import { DAY } from './duration.ts';
import type { RetentionHold } from './holds.ts';
import { checkRetentionPolicy, type RetentionPolicy, type RetentionTier } from './policy.ts';

/** Ids are text, e.g. hex; the plan only compares them. */
export type RetentionSnapshot = {
  readonly id: string;
  readonly deviceId: string;
  readonly setId: string;
  readonly destinationId: string;
  readonly sequence: number;
  /** ms since 1970, from the receipt (format §6.2). */
  readonly receivedAt: number;
  readonly partial: boolean;
};

export type KeepReason =
  | { readonly kind: 'hold' }
  | { readonly kind: 'newest' }
  | { readonly kind: 'tier'; readonly every: number; readonly until: number | null }
  /** A partial one with no later complete one. */
  | { readonly kind: 'unreplaced' };

export type RetireReason = 'retention' | 'partial';

/** Every snapshot stands in exactly one of the two, in the order in which they were given. */
export type RetentionPlan = {
  readonly keep: readonly { readonly id: string; readonly why: KeepReason }[];
  readonly retire: readonly { readonly id: string; readonly reason: RetireReason }[];
};

/** Throws `policy_invalid`, or `value_invalid` for a snapshot whose numbers are none. */
export function planRetention<S extends RetentionSnapshot>(
  snapshots: readonly S[],
  policy: RetentionPolicy,
  now: number,
  holds: readonly RetentionHold[] = [],
): RetentionPlan {
  checkRetentionPolicy(policy);
  const held = holds.filter(({ expires }) => expires === undefined || expires > now);
  const reasons = new Map<RetentionSnapshot, KeepReason>();
  for (const chain of chainsOf(snapshots)) markChain(chain, policy, now, reasons);
  for (const snapshot of snapshots)
    if (held.some((hold) => covers(hold, snapshot))) reasons.set(snapshot, { kind: 'hold' });
  const keep: { id: string; why: KeepReason }[] = [];
  const retire: { id: string; reason: RetireReason }[] = [];
  for (const snapshot of snapshots) {
    const why = reasons.get(snapshot);
    if (why !== undefined) keep.push({ id: snapshot.id, why });
    else retire.push({ id: snapshot.id, reason: snapshot.partial ? 'partial' : 'retention' });
  }
  return { keep, retire };
}

/** The snapshots of each chain in the order of receipt, oldest first. */
function chainsOf(snapshots: readonly RetentionSnapshot[]): RetentionSnapshot[][] {
  const chains = new Map<string, RetentionSnapshot[]>();
  for (const snapshot of snapshots) {
    if (!Number.isFinite(snapshot.receivedAt) || !Number.isFinite(snapshot.sequence))
      throw new ArchiveError('value_invalid', {
        record: 'snapshot',
        name: snapshot.id,
        detail: 'time or sequence is no number',
      });
    const key = JSON.stringify([snapshot.deviceId, snapshot.setId, snapshot.destinationId]);
    const chain = chains.get(key);
    if (chain === undefined) chains.set(key, [snapshot]);
    else chain.push(snapshot);
  }
  return [...chains.values()].map((chain) => chain.sort(byReceipt));
}

/** Snapshots received in the same millisecond stand by sequence; a fork may share that too. */
function byReceipt(a: RetentionSnapshot, b: RetentionSnapshot): number {
  return a.receivedAt - b.receivedAt || a.sequence - b.sequence || (a.id < b.id ? -1 : 1);
}

function markChain(
  chain: readonly RetentionSnapshot[],
  { tiers }: RetentionPolicy,
  now: number,
  reasons: Map<RetentionSnapshot, KeepReason>,
): void {
  const complete = chain.filter(({ partial }) => !partial);
  // The finest tier that keeps a snapshot names the reason, so it marks last.
  for (const tier of tiers.toReversed()) {
    for (const snapshot of lastOfBuckets(complete, tier, now)) reasons.set(snapshot, { kind: 'tier', ...tier });
  }
  for (const snapshot of newestOf(complete)) reasons.set(snapshot, { kind: 'newest' });
  for (const snapshot of unreplaced(chain)) reasons.set(snapshot, { kind: 'unreplaced' });
}

/** Monday: weeks are buckets of seven days from here. */
const ORIGIN: number = 4 * DAY;

function lastOfBuckets(
  complete: readonly RetentionSnapshot[],
  { every, until }: RetentionTier,
  now: number,
): RetentionSnapshot[] {
  const last = new Map<number, RetentionSnapshot>();
  for (const snapshot of complete) {
    const bucket = Math.floor((snapshot.receivedAt - ORIGIN) / every);
    const end = ORIGIN + (bucket + 1) * every;
    if (until === null || end > now - until) last.set(bucket, snapshot);
  }
  return [...last.values()];
}

/** By receipt, and by sequence where that differs: the next backup continues from the highest. */
function newestOf(complete: readonly RetentionSnapshot[]): RetentionSnapshot[] {
  const newest = complete.at(-1);
  if (newest === undefined) return [];
  return [newest, complete.reduce((a, b) => (b.sequence >= a.sequence ? b : a))];
}

/** A complete one replaces the partial ones of lower sequence received before it; not those of another branch of a fork. */
function unreplaced(chain: readonly RetentionSnapshot[]): RetentionSnapshot[] {
  const found: RetentionSnapshot[] = [];
  let highest = Number.NEGATIVE_INFINITY;
  for (const snapshot of chain.toReversed()) {
    if (!snapshot.partial) highest = Math.max(highest, snapshot.sequence);
    else if (highest <= snapshot.sequence) found.push(snapshot);
  }
  return found;
}

function covers(hold: RetentionHold, { id, receivedAt, ...snapshot }: RetentionSnapshot): boolean {
  if (hold.snapshotId !== undefined && hold.snapshotId !== id) return false;
  if (hold.from !== undefined && receivedAt < hold.from) return false;
  if (hold.to !== undefined && receivedAt > hold.to) return false;
  return (['deviceId', 'setId', 'destinationId'] as const).every(
    (key) => hold[key] === undefined || hold[key] === snapshot[key],
  );
}
