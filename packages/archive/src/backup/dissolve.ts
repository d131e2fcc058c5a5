/**
 * Which bundles to dissolve: those of which only a small part is still in use, and the many tiny ones that short runs leave. Their files are
 * stored anew, together; the old bundles are no longer referred to and get collected (ARCHIVE §2).
 *
 * Only a walk of everything can tell, and only a run that changes something anyway does it: a run that finds nothing changed commits nothing.
 */
import { fingerprintOf, ROW_LENGTH, sameRow } from '../source/rows.ts';
import type { Cache } from './cache.ts';
import type { Node } from './node.ts';
import { type DirectoryRecord, fingerprintOfRecord } from './record.ts';

/** A bundle under half used is dissolved. */
const USED_SHARE = 0.5;
/** A smaller bundle is dissolved, */
const TINY: number = 64 * 1024;
/** if there are so many of them that they fill larger ones: the end of each batch is tiny now and then. */
const TINY_COUNT = 32;
/** At most so many bytes are read again in one run. */
const MOST_BYTES: number = 256 * 1024 * 1024;

export type Dissolve = (record: DirectoryRecord, entry: number) => boolean;

type Use = { bytes: number; end: number };

/** Marks the nodes that have such files. `null` when there is nothing to do. */
export function chooseDissolved(nodes: readonly Node[], cache: Cache): Dissolve | null {
  if (!nodes.some((node) => isChanged(node, cache))) return null;
  const used = new Map<string, Use>();
  for (const node of nodes) eachReused(node, cache, (record, entry) => count(used, record, entry));
  const chosen = choose(used, cache);
  if (chosen.size === 0) return null;
  const dissolve: Dissolve = (record, entry) => {
    let found = false;
    if (record.fileId(entry)) record.links(entry, (id) => (found ||= chosen.has(keyOf(record.id(id)))));
    return found;
  };
  for (const node of nodes) {
    eachReused(node, cache, (record, entry) => {
      if (dissolve(record, entry)) node.dissolving = true;
    });
  }
  return dissolve;
}

/** A directory that is only looked at again, because something had changed just before, has not changed. */
function isChanged({ listing, base, kind }: Node, cache: Cache): boolean {
  if (listing === null || kind === 'closed') return kind === 'vanished';
  if (base === null) return true;
  const before = fingerprintOfRecord(cache.record(base));
  return !before.equals(fingerprintOf(listing.rows, listing.names));
}

/** The live files whose content would be taken over from the record. */
function eachReused(node: Node, cache: Cache, visit: (record: DirectoryRecord, entry: number) => void): void {
  if (node.base === null || node.kind === 'kept' || node.kind === 'vanished') return;
  const record = cache.record(node.base);
  const { listing } = node;
  if (listing === null) {
    for (let i = 0; i < record.live; i++) if (record.fileId(i)) visit(record, i);
    return;
  }
  for (let i = 0; i < listing.count; i++) {
    const at = i * ROW_LENGTH;
    const from = listing.rows.readUInt32LE(at + 4);
    const known = record.find(listing.names.subarray(from, from + listing.rows.readUInt16LE(at + 2)));
    if (known < 0 || !record.fileId(known) || record.again(known)) continue;
    if (sameRow(listing.rows, at, record.rows, known * ROW_LENGTH)) visit(record, known);
  }
}

function count(used: Map<string, Use>, record: DirectoryRecord, entry: number): void {
  record.links(entry, (id, bytes, end) => {
    const key = keyOf(record.id(id));
    const use = used.get(key);
    if (use) {
      use.bytes += bytes;
      use.end = Math.max(use.end, end);
    } else used.set(key, { bytes, end });
  });
}

/** In the order of the walk, so that two runs over one tree choose the same. */
function choose(used: ReadonlyMap<string, Use>, cache: Cache): Set<string> {
  const chosen = new Set<string>();
  const tiny: string[] = [];
  let bytes = 0;
  for (const [key, use] of used) {
    const length = cache.bundleLength(Buffer.from(key, 'latin1')) ?? use.end;
    if (bytes + use.bytes > MOST_BYTES) continue;
    if (use.bytes < length * USED_SHARE) {
      chosen.add(key);
      bytes += use.bytes;
    } else if (length < TINY) tiny.push(key);
  }
  if (tiny.length >= TINY_COUNT) for (const key of tiny) chosen.add(key);
  return chosen;
}

/** Half an id tells bundles apart. */
const keyOf = (id: Buffer): string => id.toString('latin1', 0, 16);
