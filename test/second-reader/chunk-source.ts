/** Opened chunks by id, whatever they lie in. */
import { type Chunk, frameLength, type Kind, openFrame } from './frame.ts';
import type { ArchiveKeys } from './keys.ts';
import type { PackedFrame } from './pack.ts';
import { demand } from './refusal.ts';

export interface ChunkSource {
  /** Refuses a chunk that is missing, damaged, or of a kind that the link may not name. */
  readonly open: (id: Buffer, kinds: readonly Kind[]) => Chunk;
}

export interface Place extends PackedFrame {
  readonly pack: string;
}

export type ReadRange = (pack: string, at: number, length: number) => Buffer;

/** Small files lie side by side, so the last chunks opened are asked for again. */
const KEPT_CHUNKS = 16;

/** Opens one chunk, from the first of its places that holds it intact. */
function openAny(id: Buffer, places: readonly Place[], keys: ArchiveKeys, read: ReadRange): Chunk {
  const failures: unknown[] = [];
  for (const { pack, at, entry } of places) {
    try {
      const chunk = openFrame(read(pack, at, frameLength(entry)), keys);
      demand(chunk.id.equals(id), 'chunk_id_mismatch', 'another chunk than the table said');
      return chunk;
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

export function chunkSource(
  index: ReadonlyMap<string, readonly Place[]>,
  keys: ArchiveKeys,
  read: ReadRange,
): ChunkSource {
  const kept = new Map<string, Chunk>();
  const openNew = (id: Buffer, name: string): Chunk => {
    const places = index.get(name);
    demand(places !== undefined, 'missing', `no pack holds the chunk ${name}`);
    return openAny(id, places, keys, read);
  };
  return {
    open: (id, kinds) => {
      const name = id.toString('hex');
      const chunk = kept.get(name) ?? openNew(id, name);
      kept.delete(name);
      kept.set(name, chunk);
      if (kept.size > KEPT_CHUNKS) kept.delete(kept.keys().next().value!);
      demand(
        kinds.includes(chunk.kind),
        'wrong_kind',
        `a chunk of kind ${chunk.kind} where only ${kinds.join(' or ')} may be`,
      );
      return chunk;
    },
  };
}
