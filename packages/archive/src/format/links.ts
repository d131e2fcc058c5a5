// Bodies name what they link by an index into the sorted ids of their own chunk (format §5.1). Writing
// collects ids first and looks them up afterwards; reading marks what is used, since a link that no
// body uses would keep chunks alive that no reader needs.

import { invalid, unencodable } from '../errors.ts';
import { concatBytes } from './bytes.ts';
import { MAX_LINKS } from './entry.ts';
import { compareBytes, ID_LENGTH, idsAscend } from './ids.ts';

/** The sorted, unique ids that a body being written links. */
export class LinkTable {
  readonly bytes: Uint8Array;
  private readonly ids: readonly Uint8Array[];

  constructor(ids: readonly Uint8Array[]) {
    for (const id of ids) if (id.length !== ID_LENGTH) throw unencodable('links', 'an id has 32 bytes');
    const sorted = [...ids].sort(compareBytes);
    this.ids = sorted.filter((id, i) => i === 0 || compareBytes(id, sorted[i - 1] as Uint8Array) !== 0);
    if (this.ids.length > MAX_LINKS) throw unencodable('links', `${this.ids.length} links are too many`);
    this.bytes = concatBytes(...this.ids);
  }

  indexOf(id: Uint8Array): number {
    let low = 0;
    let high = this.ids.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(this.ids[middle] as Uint8Array, id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The links of a body being read. */
export class LinkReader {
  private readonly links: Uint8Array;
  private readonly record: string;
  private readonly used: Uint8Array;
  private unused: number;

  constructor(links: Uint8Array, record: string) {
    const count = links.length / ID_LENGTH;
    if (!Number.isInteger(count) || count > MAX_LINKS || !idsAscend(links))
      throw invalid(record, 'its links are not ascending ids');
    this.links = links;
    this.record = record;
    this.used = new Uint8Array(count);
    this.unused = count;
  }

  /** The id at `index`, a view. */
  take(index: number): Uint8Array {
    if (index >= this.used.length) throw invalid(this.record, `it names link ${index} of ${this.used.length}`);
    if (this.used[index] === 0) {
      this.used[index] = 1;
      this.unused--;
    }
    return this.links.subarray(index * ID_LENGTH, (index + 1) * ID_LENGTH);
  }

  end(): void {
    if (this.unused > 0) throw invalid(this.record, `${this.unused} of its links are not used`);
  }
}
