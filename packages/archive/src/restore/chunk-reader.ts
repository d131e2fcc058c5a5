/**
 * The port through which the pure part of restore gets opened chunks: where they lie, how they are fetched and with
 * which keys they open is the implementation's (session-reader.ts; a page has its own opener).
 *
 * An implementation owes: answers in the order of the question; every chunk it gives has been opened and its id computed again (format §3.2), so
 * that no caller sees bytes that are not what the id promises; a chunk that cannot be had is an `ArchiveError` in its place and
 * does not keep the others back. It rejects only for what concerns all of them (aborted, no access, no network).
 */
import { ArchiveError } from '../errors.ts';
import type { Kind } from '../format/kinds.ts';

export type OpenedChunk = {
  readonly kind: Kind;
  readonly id: Uint8Array;
  /** n * 32 bytes; empty for kinds without links. */
  readonly links: Uint8Array;
  /** The body, for kinds with links. */
  readonly plaintext: Uint8Array;
};

export interface ChunkReader {
  read(ids: readonly Uint8Array[], signal?: AbortSignal): Promise<(OpenedChunk | ArchiveError)[]>;
}

/** The chunk if it could be had and is of a kind that may stand at this place, else the reason why not. */
export function chunkOf(answer: OpenedChunk | ArchiveError | undefined, ...kinds: readonly Kind[]): OpenedChunk {
  if (answer === undefined) throw new ArchiveError('chunk_missing');
  if (answer instanceof ArchiveError) throw answer;
  if (!kinds.includes(answer.kind))
    throw new ArchiveError('chunk_unexpected', {
      id: answer.id,
      detail: `kind ${answer.kind} where ${kinds.join(' or ')} belongs`,
    });
  return answer;
}

/** Reads one chunk or throws why it cannot be had. */
export async function readOne(
  reader: ChunkReader,
  id: Uint8Array,
  kinds: readonly Kind[],
  signal?: AbortSignal,
): Promise<OpenedChunk> {
  const [answer] = await reader.read([id], signal);
  return chunkOf(answer, ...kinds);
}
