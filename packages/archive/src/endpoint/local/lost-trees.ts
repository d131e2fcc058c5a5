// Loss heals (ARCHIVE §5.7): a tree that reaches a lost chunk must not be taken for present, or a backup would refer to it again
// and never go down to send what lacks.

import { toHex } from '../../format/ids.ts';
import type { PackedFrame } from '../../format/pack.ts';
import { PREFIX_LENGTH } from '../endpoint.ts';

export const prefixHex = (id: Uint8Array): string => toHex(id.subarray(0, PREFIX_LENGTH));

/**
 * The prefixes of all trees that reach a chunk of which `isLost` says so. Goes over the frames again for each level between, instead of
 * holding the links of the whole archive: loss is rare, memory is not.
 */
export async function treesThatReach(
  isLost: (id: Uint8Array) => boolean,
  linkedFrames: () => AsyncIterable<PackedFrame>,
): Promise<ReadonlySet<string>> {
  const reaching = new Set<string>();
  for (let before = -1; reaching.size > before; ) {
    before = reaching.size;
    for await (const { entry } of linkedFrames()) {
      const id = prefixHex(entry.id);
      if (!reaching.has(id) && anyLink(entry.links, (link) => isLost(link) || reaching.has(prefixHex(link))))
        reaching.add(id);
    }
  }
  return reaching;
}

function anyLink(links: Uint8Array, test: (link: Uint8Array) => boolean): boolean {
  for (let at = 0; at < links.length; at += 32) if (test(links.subarray(at, at + 32))) return true;
  return false;
}
