import { lastJson } from '../measure.ts';
import type { Engine } from '../sides/ours.ts';

export type Stored = {
  /** Bytes that were added to the store: packs with all their overhead. */
  readonly stored: number;
  /** Bytes of all files of the tree. */
  readonly bytes: number;
};

/** Backs a tree up. */
export async function storedBy(side: Engine, tree: string): Promise<Stored> {
  const { bytesStored, totals } = lastJson<{ bytesStored: number; totals: { bytes: number } }>(
    await side.backup([tree]),
  );
  return { stored: bytesStored, bytes: totals.bytes };
}
