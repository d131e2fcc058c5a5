/**
 * A directory during a run: what the walk found, what the cache knows, what has become of it.
 *
 * ```
 * listed      the walk found it changed: its listing is merged with the record
 * as-before   its fingerprint is the cached one; its record holds (a child may still change its tree)
 * way         above the selection: holds only what leads to it
 * kept        it could not be read: it stays as it was, reported as skipped
 * vanished    it was removed after its name had been seen
 * closed      something that is not entered is mounted there: kept empty
 * ```
 * Nodes stand in one array in walk order: a directory before its sub-directories, names in bytewise order.
 */
import type { Listing } from '../source/source.ts';
import type { RecordPlace, Totals } from './cache.ts';
import type { Entry } from './record.ts';

export type NodeKind = 'listed' | 'as-before' | 'way' | 'kept' | 'vanished' | 'closed';

export type Node = {
  readonly path: Buffer;
  readonly name: Buffer;
  readonly parent: Node | null;
  kind: NodeKind;
  /** `listed`, `way`, `closed`: what is there now. */
  listing: Listing | null;
  /** Sorted by name; those that the walk saw. */
  children: Node[];
  /** The record to start from: the last backup's, or the one this run made before. */
  base: RecordPlace | null;
  /** Index of the cache's row, -1 without one. */
  cacheRow: number;
  /** Must its tree be made (again)? */
  dirty: boolean;
  /** Deleted entries of a directory that was here before (hand-down.ts); empty once they are in its record. */
  handedDown: Entry[];
  /** Some of its content is to be stored anew although nothing changed. */
  dissolving: boolean;
  /** Per entry of the listing or record: the item that reads it, or what stands in for it (plan.ts). */
  sources: Int32Array | null;
  /** Items and dirty children still to come. */
  pending: number;
  /** Known once it is not dirty or has been made. `null` at the end: there is nothing of it in the snapshot. */
  tree: Uint8Array | null;
  totals: Totals;
};

export const NO_TOTALS: Totals = { files: 0, directories: 0, others: 0, bytes: 0 };

export function addTotals(a: Totals, b: Totals): Totals {
  return {
    files: a.files + b.files,
    directories: a.directories + b.directories,
    others: a.others + b.others,
    bytes: a.bytes + b.bytes,
  };
}

/** The child of that name, by bisection. */
export function childNamed(node: Node, name: Buffer): Node | null {
  let low = 0;
  let high = node.children.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const child = node.children[middle] as Node;
    const order = child.name.compare(name);
    if (order === 0) return child;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return null;
}
