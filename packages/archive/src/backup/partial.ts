/**
 * Commits what a long run has so far (ARCHIVE §4): a partial snapshot, which the next complete one replaces. So a first backup of days
 * protects what it has read, and one that is cut off goes on where it was.
 */
import type { SealedSnapshot } from '../keys/snapshot.ts';
import type { Totals } from './cache.ts';
import type { Destination } from './destination.ts';
import type { Round } from './round.ts';
import type { Upload } from './upload.ts';

const AFTER_MS = 10 * 60_000;
const AFTER_BYTES: number = 4 * 1024 ** 3;

export type PartialOptions = {
  readonly limits: { readonly afterMs?: number; readonly afterBytes?: number };
  readonly now: () => number;
  readonly fail: (error: unknown) => void;
  readonly upload: Upload;
  readonly destination: Destination;
  readonly seal: (root: Uint8Array, totals: Totals) => Promise<SealedSnapshot>;
  readonly committed: (snapshot: SealedSnapshot) => void;
};

export class PartialCommits {
  private readonly options: PartialOptions;
  private lastAt: number;
  private lastBytes = 0;
  private running: Promise<void> | null = null;
  private round: Round | null = null;

  constructor(options: PartialOptions) {
    this.options = options;
    this.lastAt = options.now();
  }

  follow(round: Round): void {
    this.round = round;
  }

  /** To be called whenever a pack is acknowledged; begins a commit if one is due. */
  check(): void {
    const { round } = this;
    if (this.running || round === null || !this.isDue()) return;
    this.lastAt = this.options.now();
    this.lastBytes = this.options.upload.bytesStored;
    this.running = this.commit(round)
      .catch(this.options.fail)
      .finally(() => {
        this.running = null;
      });
  }

  /** The round is over: begins no more, and waits for the one under way. */
  async settle(): Promise<void> {
    this.round = null;
    await this.running;
  }

  private isDue(): boolean {
    const { limits, now, upload } = this.options;
    if (now() - this.lastAt >= (limits.afterMs ?? AFTER_MS)) return true;
    return upload.bytesStored - this.lastBytes >= (limits.afterBytes ?? AFTER_BYTES);
  }

  private async commit(round: Round): Promise<void> {
    const { upload, destination, seal, committed } = this.options;
    const partial = round.partialRoot();
    if (partial === null) return;
    await upload.sendTrees();
    // What is refused now is found again, and repaired, at the end of the round.
    if (upload.refused !== null) return;
    const snapshot = await seal(partial.tree, partial.totals);
    await destination.commit(snapshot.object);
    committed(snapshot);
  }
}
