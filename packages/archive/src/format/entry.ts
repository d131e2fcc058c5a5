// format §3.2: the entry stands in the clear in front of every sealed chunk, and again in the pack's
// table. It is all that a server ever learns of a chunk: kind, generation, id, length, links.

import { invalid, unencodable, unknownVersion } from '../errors.ts';
import { readU16, readU32, writeU16, writeU32 } from './bytes.ts';
import { ID_LENGTH, idsAscend } from './ids.ts';
import { hasLinks, isKind, isStored, type Kind } from './kinds.ts';

export const ENTRY_VERSION = 1;
/** An entry without links. */
export const ENTRY_LENGTH = 44;
export const MAX_LINKS = 65_536;
export const NONCE_LENGTH = 12;
export const TAG_LENGTH = 16;
export const SEAL_OVERHEAD = NONCE_LENGTH + TAG_LENGTH;
/** format §3.2: nothing longer is read, whatever an entry says. */
export const MAX_STORED_LENGTH = 8_650_780;
/** Nonce, tag, codec byte and plain length around an empty chunk. */
export const MIN_STORED_LENGTH = 33;

export type ChunkEntry = {
  readonly kind: Kind;
  readonly generation: number;
  readonly id: Uint8Array;
  /** Bytes after the entry: nonce, ciphertext and tag. */
  readonly storedLength: number;
  /** n * 32 bytes, ascending. */
  readonly links: Uint8Array;
};

export const NO_LINKS: Uint8Array = new Uint8Array(0);

export function entryLength(linkCount: number): number {
  return ENTRY_LENGTH + linkCount * ID_LENGTH;
}

export function encodeEntry(entry: ChunkEntry): Uint8Array {
  const bytes = new Uint8Array(ENTRY_LENGTH + entry.links.length);
  writeEntry(entry, bytes, 0);
  return bytes;
}

/** Writes the entry into `target` at `at` and returns its length. */
export function writeEntry(entry: ChunkEntry, target: Uint8Array, at: number): number {
  checkWritable(entry);
  target[at] = ENTRY_VERSION;
  target[at + 1] = entry.kind;
  writeU16(target, at + 2, entry.generation);
  target.set(entry.id, at + 4);
  writeU32(target, at + 36, entry.storedLength);
  writeU32(target, at + 40, entry.links.length / ID_LENGTH);
  target.set(entry.links, at + ENTRY_LENGTH);
  return ENTRY_LENGTH + entry.links.length;
}

function checkWritable({ kind, generation, id, storedLength, links }: ChunkEntry): void {
  const refuse = (detail: string) => unencodable('entry', detail);
  if (!isStored(kind)) throw refuse(`kind ${kind} is never stored`);
  if (!Number.isInteger(generation) || generation < 1 || generation > 0xffff) throw refuse(`generation ${generation}`);
  if (id.length !== ID_LENGTH) throw refuse('an id has 32 bytes');
  if (storedLength < MIN_STORED_LENGTH || storedLength > MAX_STORED_LENGTH) throw refuse(`length ${storedLength}`);
  if (links.length % ID_LENGTH !== 0 || links.length > MAX_LINKS * ID_LENGTH) throw refuse('links are not whole ids');
  if (links.length > 0 && !hasLinks(kind)) throw refuse(`kind ${kind} has no links`);
  if (!idsAscend(links)) throw refuse('links do not ascend');
}

/** What the first 44 bytes of an entry say, checked before anything after them is read. */
export type EntryHead = Omit<ChunkEntry, 'links'> & { readonly linkCount: number };

export function decodeEntryHead(b: Uint8Array, at = 0): EntryHead {
  if (b.length - at < ENTRY_LENGTH) throw invalid('entry', 'the bytes end too early');
  if (b[at] !== ENTRY_VERSION) throw unknownVersion('entry', b[at] as number);
  const kind = b[at + 1] as number;
  if (!isKind(kind) || !isStored(kind)) throw invalid('entry', `unknown kind ${kind}`);
  const generation = readU16(b, at + 2);
  if (generation === 0) throw invalid('entry', 'generations count from 1');
  const storedLength = readU32(b, at + 36);
  if (storedLength < MIN_STORED_LENGTH || storedLength > MAX_STORED_LENGTH)
    throw invalid('entry', `stored length ${storedLength} is out of bounds`);
  const linkCount = readU32(b, at + 40);
  if (linkCount > MAX_LINKS) throw invalid('entry', `${linkCount} links are too many`);
  if (linkCount > 0 && !hasLinks(kind)) throw invalid('entry', `kind ${kind} has no links`);
  return { kind, generation, id: b.subarray(at + 4, at + 36), storedLength, linkCount };
}

/** Id and links are views of `b`. `length` is the entry's own, without what it announces. */
export function decodeEntry(b: Uint8Array, at = 0): { entry: ChunkEntry; length: number } {
  const { linkCount, ...head } = decodeEntryHead(b, at);
  const end = at + entryLength(linkCount);
  if (end > b.length) throw invalid('entry', 'the links run past the end');
  const links = linkCount === 0 ? NO_LINKS : b.subarray(at + ENTRY_LENGTH, end);
  if (!idsAscend(links)) throw invalid('entry', 'links do not ascend');
  return { entry: { ...head, links }, length: end - at };
}
