/** Lists (format §5.4): the segments of a file that has too many for its entry. */
import type { ChunkSource } from './chunk-source.ts';
import { bodyOf, field, groupsOf, uint } from './fields.ts';
import { type Chunk, KIND } from './frame.ts';
import { linksOf } from './links.ts';
import { demand } from './refusal.ts';
import { type Segment, segmentsOf } from './tree-entry.ts';

export interface ListChild {
  /** Where the child begins within what this list covers, in bytes. */
  readonly start: number;
  readonly id: Buffer;
}

export type ListBody =
  | { readonly segments: readonly Segment[]; readonly children?: never }
  | { readonly children: readonly ListChild[]; readonly segments?: never };

function parseChildren(chunk: Pick<Chunk, 'links'>, value: ReturnType<typeof field>): ListChild[] {
  const links = linksOf(chunk.links);
  const children = groupsOf(value, 2).map(([start, link]) => ({ start: uint(start!), id: links.at(link!) }));
  demand(children[0]?.start === 0, 'malformed', 'a list whose first child does not begin at 0');
  const ascend = children.every(({ start }, at) => at === 0 || children[at - 1]!.start < start);
  demand(ascend, 'malformed', 'children of a list that do not ascend');
  links.demandAllUsed();
  return children;
}

export function parseListBody(chunk: Pick<Chunk, 'body' | 'links'>): ListBody {
  const map = bodyOf(chunk.body, [1, 2]);
  demand(map.has(1) !== map.has(2), 'malformed', 'a list that is not either leaf or index');
  if (map.has(2)) return { children: parseChildren(chunk, field(map, 2)) };
  const links = linksOf(chunk.links);
  const segments = segmentsOf(field(map, 1), links);
  links.demandAllUsed();
  return { segments };
}

/** Every segment below a list chunk, in order; `size` is what they must add up to. */
export function readList(source: ChunkSource, id: Buffer, size: number): Segment[] {
  const body = parseListBody(source.open(id, [KIND.list]));
  if (body.segments) {
    const total = body.segments.reduce((sum, { length }) => sum + length, 0);
    demand(total === size, 'malformed', 'segments that do not add up to what their list covers');
    return [...body.segments];
  }
  const { children } = body;
  return children.flatMap((child, at) => readList(source, child.id, (children[at + 1]?.start ?? size) - child.start));
}
