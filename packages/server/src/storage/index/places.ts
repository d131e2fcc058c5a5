// What the table of a pack says lies where. A text, since it crosses two borders of threads; no query is in this file, since a thread
// that only checks packs is to start without what queries need.

import { toHex } from '@holdfast/archive/format/ids.ts';
import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import { prefixOf } from './prefix.ts';

/** Records (records.ts) of prefix and offset. */
export type Places = string;

export const placesOf = (frames: readonly PackedFrame[]): Places =>
  `[${frames.map(({ entry, offset }) => `["${toHex(prefixOf(entry.id))}",${offset}]`).join()}]`;

export const prefixesIn = (places: Places): Uint8Array[] =>
  (JSON.parse(places) as [string, number][]).map(([prefix]) => Uint8Array.fromHex(prefix));
