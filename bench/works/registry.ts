/** Every work, in the order in which they are done. A new row is named in ../rows.ts and brought by one of these. */
import type { Work } from '../work.ts';
import { startUp } from './start-up.ts';
import { tree } from './tree.ts';

export const WORKS: readonly Work[] = [tree, startUp];
