// Is the index the one that was last used with this store point? Both keep a number that grows with each start, the index
// first. An index that is behind was set back or is new: what it would say is present may be gone.

import { listArchives } from '@holdfast/archive/store/archives.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Index } from './index/open-index.ts';
import { readPoint, writePoint } from './index/point.ts';
import { readIfThere } from './reads/lists.ts';
import { randomHex, type StorePoint } from './store-point.ts';

/** Beside the archives of format §7: no reader of archives looks at it. */
const NAME = 'server/index-generation';

type Counted = { readonly index: Index; readonly blobs: BlobStore };

export type IndexState = 'fresh' | 'current' | 'behind';

export async function indexState({ index, blobs }: Counted): Promise<IndexState> {
  const own = await index.read((on) => readPoint(on, 'generation'));
  const stored = await readIfThere(blobs, NAME);
  const last = stored === null ? 0 : Number(new TextDecoder().decode(stored));
  if (!Number.isSafeInteger(last)) throw new ProtocolError('internal', { message: `${NAME} holds no number` });
  if (own !== null) return Number(own) >= last ? 'current' : 'behind';
  return last === 0 && (await isEmpty(blobs)) ? 'fresh' : 'behind';
}

async function isEmpty(blobs: BlobStore): Promise<boolean> {
  for await (const _ of listArchives(blobs)) return false;
  return true;
}

/** From now on an older copy of this index is behind. */
export async function countGeneration(point: Pick<StorePoint, 'index' | 'blobs' | 'random'>): Promise<void> {
  const stored = await readIfThere(point.blobs, NAME);
  const last = stored === null ? 0 : Number(new TextDecoder().decode(stored));
  const next = await point.index.write(async (on) => {
    const number = Math.max(last, Number((await readPoint(on, 'generation')) ?? 0)) + 1;
    await writePoint(on, 'generation', String(number));
    if ((await readPoint(on, 'incarnation')) === null) await writePoint(on, 'incarnation', randomHex(point, 8));
    return number;
  });
  await point.blobs.put(NAME, new TextEncoder().encode(String(next)));
}
