/**
 * What must be restorable: each snapshot of which the agent or the server said that it is there, with the manifest of the
 * tree at that moment. Retention may take one away only when a later one stands for the same interval; the rule is
 * written here once more, from the words of the policy, so that a fault of the plan shows.
 */
import { compareManifests, type Manifest } from '../../../scripts/manifest.ts';

export type Kept = {
  readonly device: string;
  readonly snapshot: string;
  readonly manifest: Manifest;
  /** The server's time, ms; until the server was asked, when the agent had its answer. */
  readonly receivedAt: number;
};

export type Listed = { readonly id: string; readonly receivedAt: number; readonly device: { readonly name: string } };

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** The policy of a new server: every quarter hour for a week, then daily. A world ends before 90 days. */
/** Between the receipt of a snapshot and its answer, at most. */
const ANSWER_TAKES = 30_000;
const FINE = { every: 15 * MINUTE, until: 7 * DAY };

export class Ledger {
  private readonly entries = new Map<string, Kept>();

  /** Throws when a snapshot is acknowledged twice for two different trees. */
  add(entry: Kept): void {
    const before = this.entries.get(entry.snapshot);
    if (before === undefined) {
      this.entries.set(entry.snapshot, entry);
      return;
    }
    const differences = compareManifests(before.manifest, entry.manifest);
    if (differences.length > 0)
      throw new Error(`${entry.device} took a changed tree for unchanged: ${JSON.stringify(differences.slice(0, 5))}`);
  }

  has(snapshot: string): boolean {
    return this.entries.has(snapshot);
  }

  /** Something of it is lost for good, as a scenario has found to be right. */
  drop(snapshot: string): void {
    this.entries.delete(snapshot);
  }

  /** In the order of their receipt. */
  all(device?: string): Kept[] {
    return [...this.entries.values()]
      .filter((entry) => device === undefined || entry.device === device)
      .sort((a, b) => a.receivedAt - b.receivedAt);
  }

  newest(device: string): Kept | undefined {
    return this.all(device).at(-1);
  }

  /** Forgets what retention rightly took; throws for anything else that is not there any more. */
  compareWith(listed: readonly Listed[], now: number): void {
    const there = new Map(listed.map((snapshot) => [snapshot.id, snapshot]));
    for (const entry of this.all()) {
      const found = there.get(entry.snapshot);
      if (found !== undefined) {
        this.entries.set(entry.snapshot, { ...entry, receivedAt: found.receivedAt });
        continue;
      }
      const follower = listed.find((other) => standsFor(other, entry, now));
      if (follower === undefined)
        throw new Error(`snapshot ${entry.snapshot} of ${entry.device} is gone, and nothing stands for it`);
      this.entries.delete(entry.snapshot);
    }
  }
}

function standsFor(later: Listed, gone: Kept, now: number): boolean {
  if (later.device.name !== gone.device || later.receivedAt < gone.receivedAt) return false;
  const bucket = (at: number, every: number): number => Math.floor(at / every);
  const same = (every: number): boolean =>
    [gone.receivedAt, gone.receivedAt - ANSWER_TAKES].some(
      (at) => bucket(at, every) === bucket(later.receivedAt, every),
    );
  return same(FINE.every) || (gone.receivedAt < now - FINE.until && same(DAY));
}
