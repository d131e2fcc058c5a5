// format §3.4: a segment is a stretch of the plaintext of a linked chunk; a file is the concatenation
// of its segments. They stand in bodies as one flat array `[link, offset, length, link, ...]`.

import type { CborReader, CborWriter } from './cbor.ts';
import { MAX_PLAIN_LENGTH } from './frame.ts';
import type { LinkReader, LinkTable } from './links.ts';

export type Segment = { readonly id: Uint8Array; readonly offset: number; readonly length: number };

export function segmentsLength(segments: readonly Segment[]): number {
  let sum = 0;
  for (const segment of segments) sum += segment.length;
  return sum;
}

/** What is wrong with segments, if anything. */
export function problemOfSegments(segments: readonly Segment[]): string | null {
  for (const { offset, length } of segments) {
    if (!Number.isInteger(offset) || !Number.isInteger(length) || offset < 0 || length < 1) return 'a segment is empty';
    if (offset + length > MAX_PLAIN_LENGTH) return 'a segment runs past the largest chunk';
  }
  return null;
}

export function writeSegments(writer: CborWriter, segments: readonly Segment[], links: LinkTable): void {
  writer.array(segments.length * 3);
  for (const { id, offset, length } of segments) {
    writer.uint(links.indexOf(id));
    writer.uint(offset);
    writer.uint(length);
  }
}

export function readSegments(reader: CborReader, links: LinkReader): Segment[] {
  const count = reader.array();
  if (count % 3 !== 0) throw reader.fail('segments come as link, offset, length');
  const segments: Segment[] = [];
  for (let i = 0; i < count; i += 3) {
    segments.push({ id: links.take(reader.uint()), offset: reader.uint(), length: reader.uint() });
  }
  return segments;
}
