/** The table of the chunks that a destination has, as a run makes it: how much memory each of them takes. */
import { ClaimTable } from '../../packages/archive/src/backup/claim-table.ts';
import { Random } from '../../test/torture/support/random.ts';
import { scaled, type Work } from '../work.ts';

const IDS = 1_000_000;
const ID = 32;
/** Between one number of ids and its double lies every state of growth. */
const STEPS = 8;

export const knownIds: Work = {
  name: 'known-ids',
  rows: ['known-ids', 'known-ids-most'],
  needsTree: false,
  repeats: false,
  onlyFor: null,
  async run(bench) {
    const counts = Array.from({ length: STEPS }, (_, i) => Math.round(scaled(bench, IDS) * 2 ** (i / STEPS)));
    const bytes = counts.map((count) => bytesFor(count));
    return [
      { row: 'known-ids', ours: bytes[0] as number, beside: {} },
      { row: 'known-ids-most', ours: Math.max(...bytes), beside: {} },
    ];
  },
};

function bytesFor(count: number): number {
  const ids = new Random(`${count} ids`).bytes(count * ID);
  const table = ClaimTable.forIds(count);
  for (let at = 0; at < ids.length; at += ID) table.addKnown(ids, at);
  for (let at = 0; at < ids.length; at += ID) if (!table.has(ids, at)) throw new Error('the table forgot an id');
  return table.memory.byteLength / count;
}
