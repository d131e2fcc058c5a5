/**
 * At a destination that holds more than it can list (PRESENT_LIMIT), a backup asks for what it is about to refer to: the trees and chunks of its cache.
 * What others stored is not known then, and is stored again if it comes up: that costs space, never correctness.
 */
import type { Cache } from './cache.ts';
import type { ClaimTable } from './claim-table.ts';
import type { Destination } from './destination.ts';
import { FileTable } from './file-table.ts';

const AT_ONCE = 4096;
const ID = 32;

export async function askForCached(
  destination: Pick<Destination, 'use'>,
  cache: Cache,
  table: ClaimTable,
): Promise<void> {
  const asked = FileTable.forFiles(Math.ceil(cache.recordBytes / ID) + cache.size);
  let batch: Buffer[] = [];
  const flush = async () => {
    const ids = Buffer.concat(batch);
    batch = [];
    const answers = await destination.use((session) => session.ask(ids));
    for (const [i, answer] of answers.entries()) if (answer === 1) table.addKnown(ids, i * ID);
  };
  for (const row of cache.all()) {
    const { ids } = cache.record(cache.place(row));
    for (const id of [cache.tree(row), ...each(ids)]) {
      if (asked.getOrSet(id, 0, 0) >= 0) continue;
      batch.push(Buffer.from(id));
      if (batch.length === AT_ONCE) await flush();
    }
  }
  if (batch.length > 0) await flush();
}

function* each(ids: Buffer): Iterable<Buffer> {
  for (let at = 0; at < ids.length; at += ID) yield ids.subarray(at, at + ID);
}
