/** The links of a chunk as its body names them: indexes into the sorted ids, each used at least once (format §5.1). */
import type { Value } from './cbor.ts';
import { uint } from './fields.ts';
import { demand } from './refusal.ts';

export interface Links {
  readonly at: (index: Value) => Buffer;
  readonly demandAllUsed: () => void;
}

export function linksOf(ids: readonly Buffer[]): Links {
  const used = new Set<number>();
  return {
    at: (index) => {
      const position = uint(index);
      const id = ids[position];
      demand(id !== undefined, 'malformed', `link ${position} of ${ids.length}`);
      used.add(position);
      return id;
    },
    demandAllUsed: () => demand(used.size === ids.length, 'malformed', 'a link that the body does not use'),
  };
}
