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
  let batch: Uint8Array[] = [];
  for (const row of cache.all()) {
    const { ids } = cache.record(cache.place(row));
    for (const id of [cache.tree(row), ...each(ids)]) {
      if (asked.getOrSet(id, 0, 0) >= 0) continue;
      batch.push(Buffer.from(id));
      if (batch.length < AT_ONCE) continue;
      await askFor(destination, batch, table);
      batch = [];
    }
  }
  await askFor(destination, batch, table);
}

export async function askFor(
  destination: Pick<Destination, 'use'>,
  ids: readonly Uint8Array[],
  table: ClaimTable,
): Promise<void> {
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const some = Buffer.concat(ids.slice(at, at + AT_ONCE));
    const answers = await destination.use((session) => session.ask(some));
    for (const [i, answer] of answers.entries()) if (answer === 1) table.addKnown(some, i * ID);
  }
}

function* each(ids: Buffer): Iterable<Buffer> {
  for (let at = 0; at < ids.length; at += ID) yield ids.subarray(at, at + ID);
}
