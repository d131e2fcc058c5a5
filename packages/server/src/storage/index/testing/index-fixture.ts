// Builders for tests of the index: ids and frames from small numbers.

import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import type { DatabaseConfig } from '../../../config.ts';
import { ensureArchive } from '../archives.ts';
import { type ChunkKey, insertChunks, presentFlags } from '../chunks.ts';
import { type Index, type On, openIndex } from '../open-index.ts';
import { insertPack } from '../packs.ts';
import { prefixOf } from '../prefix.ts';
import { openSession } from '../sessions.ts';

export const archiveId = (n: number): Uint8Array => new Uint8Array(16).fill(n);
export const deviceId: Uint8Array = new Uint8Array(16).fill(7);

/** Ids that differ in their first bytes, in the order of `n`. */
export function chunkId(n: number): Uint8Array {
  const id = new Uint8Array(32).fill(n & 0xff, 16);
  new DataView(id.buffer).setUint32(0, n);
  return id;
}

export const ids = (...numbers: number[]): Uint8Array => Buffer.concat(numbers.map(chunkId));

export const frame = (n: number, kind: 1 | 4 = 1, links: readonly number[] = []): PackedFrame => ({
  offset: 28 + n * 100,
  length: 100,
  entry: { kind, generation: 1, id: chunkId(n), storedLength: 56, links: ids(...links.toSorted((a, b) => a - b)) },
});

let packs = 0;

/** A pack with these frames and its rows, as an ingest leaves it. */
export async function addPack(
  on: On,
  archive: number,
  frames: readonly PackedFrame[],
  session = 0,
): Promise<{ number: number; id: Uint8Array }> {
  packs += 1;
  const id = Buffer.concat([Uint8Array.of(0xaa), chunkId(packs).subarray(1)]);
  const number = await insertPack(on, {
    archive,
    id,
    size: 68 + 200 * frames.length,
    frames: frames.length,
    trees: frames.filter((f) => f.entry.kind === 4).length,
    content: frames.reduce((sum, f) => sum + f.length, 0),
    rows: frames.length,
    bytes: frames.reduce((sum, f) => sum + f.length, 0),
    session,
    received: 0,
  });
  await insertChunks(on, archive, number, frames);
  return { number, id };
}

export const addArchive = (index: Index, n = 1): Promise<number> =>
  index.write(async (on) => (await ensureArchive(on, archiveId(n))).number);

let sessions = 0;

export function addSession(index: Index, archive: number, now = 0) {
  sessions += 1;
  const id = sessions.toString(16).padStart(32, '0');
  return index.write((on) => openSession(on, { id, archive, purpose: 'backup', device: deviceId }, now));
}

/** Runs a test on an index with one archive. */
export const onIndex =
  (fresh: () => Promise<DatabaseConfig>) =>
  async (work: (index: Index, archive: number) => Promise<void>): Promise<void> => {
    const index = await openIndex(await fresh());
    try {
      await work(index, await addArchive(index));
    } finally {
      await index.close();
    }
  };

/** 1 for each chunk that is present for a session of this epoch, else 0. */
export const flags = (index: Index, archive: number, epoch: number, ...numbers: number[]): Promise<number[]> =>
  index.read(async (on) => [...(await presentFlags(on, archive, epoch, ids(...numbers)))]);

export const keys = (pack: number, ...numbers: number[]): ChunkKey[] =>
  numbers.map((n) => ({ prefix: prefixOf(chunkId(n)), pack }));
