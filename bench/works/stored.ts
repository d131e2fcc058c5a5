import { lastJson } from '../measure.ts';
import type { Engine } from '../sides/ours.ts';

/** Backs a tree up and says how many bytes were added to the store: packs with all their overhead. */
export async function storedBy(side: Engine, tree: string): Promise<number> {
  return lastJson<{ bytesStored: number }>(await side.backup([tree])).bytesStored;
}
