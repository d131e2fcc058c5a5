/**
 * What a walker reports of the directories it was given, in their order, flat.
 *
 * ```
 * u8 state, then
 *   changed:    rows, names, failures; fingerprint
 *   unchanged:  rows and names of the sub-directories alone, counts of the others
 *   failed:     reason, u8 gone
 * ```
 */

import { fingerprintOf, ROW_LENGTH, rowName, rowType, setName, TYPE, viewOf } from '../source/rows.ts';
import type { Failure, Listing } from '../source/source.ts';
import type { ByteReader, ByteWriter } from './byte-writer.ts';
import { losesNothing } from './skip.ts';

const STATE = { changed: 0, unchanged: 1, failed: 2 } as const;

export type WalkReport =
  | { readonly kind: 'changed' | 'unchanged'; readonly listing: Listing }
  | { readonly kind: 'failed'; readonly reason: string; readonly gone: boolean };

/** `unchanged` decides by the fingerprint. */
export function writeListing(writer: ByteWriter, listing: Listing, unchanged: (fingerprint: Buffer) => boolean): void {
  const same = listing.failed.every(losesNothing) && unchanged(fingerprintOf(listing.rows, listing.names));
  writer.u8(same ? STATE.unchanged : STATE.changed);
  const shown = same ? directoriesOf(listing) : listing;
  writer.u32(shown.count);
  writer.bytes(shown.rows);
  writer.sized(shown.names);
  writer.u32(listing.failed.length);
  for (const { name, reason } of listing.failed) {
    writer.sized(name);
    writer.sized(Buffer.from(reason));
  }
}

export function writeFailure(writer: ByteWriter, reason: string, gone: boolean): void {
  writer.u8(STATE.failed);
  writer.sized(Buffer.from(reason));
  writer.u8(gone ? 1 : 0);
}

export function readWalkReport(reader: ByteReader): WalkReport {
  const state = reader.u8();
  if (state === STATE.failed) return { kind: 'failed', reason: reader.sized().toString(), gone: reader.u8() === 1 };
  const count = reader.u32();
  const rows = reader.take(count * ROW_LENGTH);
  const names = reader.sized();
  const failed: Failure[] = [];
  for (let left = reader.u32(); left > 0; left--)
    failed.push({ name: reader.sized(), reason: reader.sized().toString() });
  return { kind: state === STATE.changed ? 'changed' : 'unchanged', listing: { count, rows, names, failed } };
}

function directoriesOf(listing: Listing): Listing {
  const rows: Buffer[] = [];
  const names: Buffer[] = [];
  let nameAt = 0;
  for (let i = 0; i < listing.count; i++) {
    const at = i * ROW_LENGTH;
    if (rowType(listing.rows, at) !== TYPE.directory) continue;
    const name = rowName(listing.rows, at, listing.names);
    const row = Buffer.from(listing.rows.subarray(at, at + ROW_LENGTH));
    setName(viewOf(row), 0, nameAt, name.length);
    nameAt += name.length;
    rows.push(row);
    names.push(name);
  }
  return { count: rows.length, rows: Buffer.concat(rows), names: Buffer.concat(names), failed: listing.failed };
}
