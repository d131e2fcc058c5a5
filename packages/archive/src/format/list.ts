// The body of list chunks (format §5.4): the segments of a file that has more than 1,024. A list is a
// leaf of segments or an index of children, each with the position at which it begins.

import { invalid, unencodable, unknownVersion } from '../errors.ts';
import { CborReader, CborWriter } from './cbor.ts';
import { LinkReader, LinkTable } from './links.ts';
import { problemOfSegments, readSegments, type Segment, writeSegments } from './segments.ts';

export const LIST_VERSION = 1;

/** `start`: the position, in the joined segments that this index covers, at which the child begins. The first is 0. */
export type ListChild = { readonly start: number; readonly id: Uint8Array };

/** Exactly one of `segments` and `children`. */
export type ListBody = { readonly segments?: readonly Segment[]; readonly children?: readonly ListChild[] };

const RECORD = 'list';

export function encodeList(list: ListBody): { links: Uint8Array; body: Uint8Array } {
  const { segments, children } = list;
  if ((segments === undefined) === (children === undefined)) throw unencodable(RECORD, 'it is a leaf or an index');
  const problem = problemOfList(list);
  if (problem !== null) throw unencodable(RECORD, problem);
  const links = new LinkTable((segments ?? children ?? []).map((item) => item.id));
  const writer = new CborWriter(16 + 16 * (segments ?? children ?? []).length);
  writer.map(2);
  writer.uint(0);
  writer.uint(LIST_VERSION);
  writer.uint(segments === undefined ? 2 : 1);
  if (segments !== undefined) writeSegments(writer, segments, links);
  if (children !== undefined) writeChildren(writer, children, links);
  return { links: links.bytes, body: writer.finish() };
}

function problemOfList({ segments, children }: ListBody): string | null {
  if ((segments ?? children ?? []).length === 0) return 'it is empty';
  if (segments !== undefined) return problemOfSegments(segments);
  let last = -1;
  for (const { start } of children ?? []) {
    if (last === -1 && start !== 0) return 'its first child does not begin at 0';
    if (!Number.isSafeInteger(start) || start <= last) return 'its children do not ascend';
    last = start;
  }
  return null;
}

function writeChildren(writer: CborWriter, children: readonly ListChild[], links: LinkTable): void {
  writer.array(children.length * 2);
  for (const { start, id } of children) {
    writer.uint(start);
    writer.uint(links.indexOf(id));
  }
}

export function decodeList(links: Uint8Array, body: Uint8Array): ListBody {
  const reader = new CborReader(body, RECORD);
  const ids = new LinkReader(links, RECORD);
  const list: { segments?: Segment[]; children?: ListChild[] } = {};
  let last = -1;
  for (let count = reader.map(); count > 0; count--) {
    const key = reader.key(last);
    if (last === -1 && key !== 0) throw reader.fail('the version is missing');
    last = key;
    if (key === 0) checkVersion(reader.uint());
    else if (key === 1) list.segments = readSegments(reader, ids);
    else if (key === 2) list.children = readChildren(reader, ids);
    else reader.unknown(key, 1);
  }
  reader.end();
  if ((list.segments === undefined) === (list.children === undefined)) throw reader.fail('neither leaf nor index');
  const problem = problemOfList(list);
  if (problem !== null) throw invalid(RECORD, problem);
  ids.end();
  return list;
}

function checkVersion(version: number): void {
  if (version !== LIST_VERSION) throw unknownVersion(RECORD, version);
}

function readChildren(reader: CborReader, links: LinkReader): ListChild[] {
  const count = reader.array();
  if (count % 2 !== 0) throw reader.fail('children come as start, link');
  const children: ListChild[] = [];
  for (let i = 0; i < count; i += 2) children.push({ start: reader.uint(), id: links.take(reader.uint()) });
  return children;
}
