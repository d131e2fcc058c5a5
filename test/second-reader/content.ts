/** The bytes of a file (format §3.4, §5.3): segments in order, holes between the extents. */
import { createHash } from 'node:crypto';
import type { ChunkSource } from './chunk-source.ts';
import { KIND } from './frame.ts';
import { type ArchiveKeys, fileIdOf } from './keys.ts';
import { readList } from './list.ts';
import { demand } from './refusal.ts';
import { type FileEntry, type Segment, storedSize } from './tree-entry.ts';

/** Bytes at a place in the file; what no piece covers is a hole. */
export interface Piece {
  readonly at: number;
  readonly bytes: Buffer;
}

const HOLE_STEP = 1 << 20;
const FIRST_LARGE_SIZE = 131_072;

function allSegments(source: ChunkSource, file: FileEntry): readonly Segment[] {
  return Buffer.isBuffer(file.content) ? readList(source, file.content, storedSize(file)) : file.content;
}

function segmentBytes(source: ChunkSource, { id, offset, length }: Segment): Buffer {
  const { body } = source.open(id, [KIND.data, KIND.bundle]);
  demand(offset + length <= body.length, 'malformed', 'a segment behind the end of its chunk');
  return body.subarray(offset, offset + length);
}

/** The bytes of the segments laid into the extents, one piece for each stretch that lies in one of both. */
export function* piecesOf(source: ChunkSource, file: FileEntry): Generator<Piece> {
  const extents = (file.extents ?? [{ offset: 0, length: file.size }]).filter(({ length }) => length > 0);
  let extent = 0;
  let filled = 0;
  for (const segment of allSegments(source, file)) {
    let rest = segmentBytes(source, segment);
    while (rest.length > 0) {
      const { offset, length } = extents[extent]!;
      const bytes = rest.subarray(0, length - filled);
      yield { at: offset + filled, bytes };
      filled += bytes.length;
      rest = rest.subarray(bytes.length);
      if (filled === length) [extent, filled] = [extent + 1, 0];
    }
  }
}

function* zeros(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= HOLE_STEP) yield Buffer.alloc(Math.min(HOLE_STEP, left));
}

function* withZeros(pieces: Iterable<Piece>, size: number): Generator<Buffer> {
  let end = 0;
  for (const { at, bytes } of pieces) {
    yield* zeros(at - end);
    yield bytes;
    end = at + bytes.length;
  }
  yield* zeros(size - end);
}

/** Holds the file id against the content (format §2.1, §3.4). */
export function demandFileId(pieces: Iterable<Piece>, file: FileEntry, keys: ArchiveKeys): void {
  if (file.fileId === undefined) return;
  const size = storedSize(file);
  demand(size > 0 && size < FIRST_LARGE_SIZE, 'malformed', `a file id on a file of ${size} bytes`);
  const content = Buffer.concat([...pieces].map(({ bytes }) => bytes));
  demand(
    fileIdOf(keys.idKey, content).equals(file.fileId),
    'chunk_id_mismatch',
    'a file id that the content does not have',
  );
}

/** SHA-256 of the whole file as a program would read it, holes as zeros; lower-case hex. */
export function contentHash(pieces: Iterable<Piece>, size: number): string {
  const hash = createHash('sha256');
  for (const bytes of withZeros(pieces, size)) hash.update(bytes);
  return hash.digest('hex');
}
