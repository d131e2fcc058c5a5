// Reads all structure below some roots, each chunk once, however many snapshots share it.
//
//   stack = roots
//   until it is empty: take a batch from its top, read it, hand each chunk's needs on, push the structure among them that is new
//
// Taking from the top keeps the stack about as long as a tree is deep times its width, not as long as the archive is large.

import { IdRows } from '../endpoint/id-rows.ts';
import { ArchiveError } from '../errors.ts';
import type { OpenedChunk } from '../restore/chunk-reader.ts';
import type { SessionReader } from '../restore/session-reader.ts';
import { type Need, needsOf, type Structure } from './chunk-links.ts';
import type { ChunkProblem } from './problem.ts';

export type ChunkFinding = Pick<ChunkProblem, 'kind' | 'id' | 'error'>;

export type StructureVisitor = {
  /** Called once for each chunk that is whole. */
  readonly onNeeds: (structure: Structure, needs: readonly Need[]) => void;
  readonly onFinding: (finding: ChunkFinding) => void;
  /** Called when nothing is being read; the walk waits for it. */
  readonly afterBatch?: () => Promise<void>;
  /** Structure that is not to be read. */
  readonly skip?: (structure: Structure) => boolean;
};

const BATCH = 256;

export async function walkStructure(
  reader: Pick<SessionReader, 'stream'>,
  roots: readonly Structure[],
  visitor: StructureVisitor,
  signal?: AbortSignal,
): Promise<void> {
  const seen = new IdRows(1);
  const stack: Structure[] = [];
  const push = (structure: Structure): void => {
    if (visitor.skip?.(structure)) return;
    const number = seen.find(structure.id);
    if (number === -1) {
      seen.append(structure.id, structure.kind);
      stack.push(structure);
    } else if (seen.word(number, 0) !== structure.kind) {
      visitor.onFinding({ kind: 'wrongKind', id: structure.id, error: wrongKind(structure, seen.word(number, 0)) });
    }
  };
  for (const root of roots) push(root);
  while (stack.length > 0) {
    const batch = stack.splice(-BATCH).reverse();
    const found: Structure[] = [];
    await reader.stream(
      batch.map(({ id }) => id),
      (index, answer) => found.push(...visit(batch[index] as Structure, answer, visitor)),
      signal,
    );
    for (const structure of found) push(structure);
    await visitor.afterBatch?.();
  }
}

/** The structure that the chunk needs; none when it is not whole. */
function visit(structure: Structure, answer: OpenedChunk | ArchiveError, visitor: StructureVisitor): Structure[] {
  const { id } = structure;
  if (answer instanceof ArchiveError) {
    visitor.onFinding(unreadable(id, answer));
    return [];
  }
  if (answer.kind !== structure.kind) {
    visitor.onFinding({ kind: 'wrongKind', id, error: wrongKind(structure, answer.kind) });
    return [];
  }
  try {
    const needs = needsOf(structure, answer);
    visitor.onNeeds(structure, needs);
    return needs.flatMap((need) => ('structure' in need ? [need.structure] : []));
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    visitor.onFinding({ kind: 'invalid', id, error });
    return [];
  }
}

/** A chunk could not be had. */
export function unreadable(id: Uint8Array, error: ArchiveError): ChunkFinding {
  const missing = error.code === 'chunk_missing' || error.code === 'pack_missing';
  return { kind: missing ? 'missing' : 'damaged', id, error };
}

function wrongKind({ id, kind }: Structure, actual: number): ArchiveError {
  return new ArchiveError('chunk_unexpected', { id, detail: `kind ${actual} where ${kind} belongs` });
}
