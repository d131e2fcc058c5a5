/** Every work, in the order in which they are done. A new row is named in ../rows.ts and brought by one of these. */
import type { Work } from '../work.ts';
import { aged } from './aged.ts';
import { changes } from './changes.ts';
import { growth } from './growth.ts';
import { insert } from './insert.ts';
import { knownIds } from './known-ids.ts';
import { million } from './million.ts';
import { moved, rewritten, sameIds } from './same-content.ts';
import { startUp } from './start-up.ts';
import { tree } from './tree.ts';

export const WORKS: readonly Work[] = [
  tree,
  changes,
  insert,
  moved,
  rewritten,
  sameIds,
  aged,
  knownIds,
  startUp,
  million,
  growth,
];
