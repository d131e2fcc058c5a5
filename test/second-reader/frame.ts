/** Entries and frames (format §3.2): from sealed bytes to a chunk whose id was computed anew. */
import { createDecipheriv } from 'node:crypto';
import { type ArchiveKeys, hmac } from './keys.ts';
import { demand, Refusal } from './refusal.ts';
import { openZstd } from './zstd.ts';

export const KIND = {
  data: 1,
  bundle: 3,
  tree: 4,
  part: 5,
  list: 6,
  gone: 7,
  description: 8,
  commit: 9,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** What stands in the clear in front of a frame, and again in the table of its pack. */
export interface FrameEntry {
  readonly kind: Kind;
  readonly generation: number;
  readonly id: Buffer;
  /** Nonce, ciphertext and tag, in bytes. */
  readonly storedLength: number;
  readonly links: readonly Buffer[];
  /** The entry as stored. */
  readonly encoded: Buffer;
}

export interface Chunk {
  readonly kind: Kind;
  readonly id: Buffer;
  readonly links: readonly Buffer[];
  /** The plaintext without count and links. */
  readonly body: Buffer;
}

const ENTRY_VERSION = 1;
const FIXED_ENTRY_LENGTH = 44;
const ID_LENGTH = 32;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
const SEAL_HEAD_LENGTH = 5;
const MAX_PLAIN_LENGTH = 8_388_608;
const MIN_STORED_LENGTH = NONCE_LENGTH + SEAL_HEAD_LENGTH + TAG_LENGTH;
const MAX_STORED_LENGTH = 8_650_780;
const MAX_LINKS = 65_536;

const KINDS: ReadonlySet<number> = new Set(Object.values(KIND));
const LINKED: ReadonlySet<Kind> = new Set([KIND.tree, KIND.part, KIND.list, KIND.gone, KIND.commit]);
const isKind = (kind: number): kind is Kind => KINDS.has(kind);

function linksAt(bytes: Buffer, at: number, count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(at + index * ID_LENGTH, at + (index + 1) * ID_LENGTH),
  );
}

function demandLinks(kind: Kind, links: readonly Buffer[]): void {
  demand(links.length === 0 || LINKED.has(kind), 'malformed', `links on a chunk of kind ${kind}`);
  const ascend = links.every((link, at) => at === 0 || Buffer.compare(links[at - 1]!, link) < 0);
  demand(ascend, 'malformed', 'links that do not ascend');
}

/** The entry at an offset; the limits are checked before anything behind the fixed part is read. */
export function readEntry(bytes: Buffer, at: number): FrameEntry {
  demand(at + FIXED_ENTRY_LENGTH <= bytes.length, 'malformed', 'an entry that ends early');
  const version = bytes.readUInt8(at);
  demand(version === ENTRY_VERSION, 'unknown_version', `an entry of version ${version}`);
  const kind = bytes.readUInt8(at + 1);
  demand(isKind(kind), 'wrong_kind', `a frame of kind ${kind}`);
  const generation = bytes.readUInt16BE(at + 2);
  const storedLength = bytes.readUInt32BE(at + 36);
  const linkCount = bytes.readUInt32BE(at + 40);
  demand(
    storedLength <= MAX_STORED_LENGTH && storedLength >= MIN_STORED_LENGTH,
    'malformed',
    'a frame of no possible length',
  );
  demand(linkCount <= MAX_LINKS, 'malformed', `${linkCount} links`);
  const end = at + FIXED_ENTRY_LENGTH + linkCount * ID_LENGTH;
  demand(end <= bytes.length, 'malformed', 'an entry that ends early');
  const links = linksAt(bytes, at + FIXED_ENTRY_LENGTH, linkCount);
  demandLinks(kind, links);
  return {
    kind,
    generation,
    id: bytes.subarray(at + 4, at + 36),
    storedLength,
    links,
    encoded: bytes.subarray(at, end),
  };
}

export const frameLength = (entry: FrameEntry): number => entry.encoded.length + entry.storedLength;

function unseal(entry: FrameEntry, sealed: Buffer, keys: ArchiveKeys): Buffer {
  const contentKey = keys.contentKeys.get(entry.generation);
  demand(contentKey !== undefined, 'unknown_generation', `no content key of generation ${entry.generation}`);
  const key = hmac(contentKey, Buffer.of(entry.kind), entry.id);
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_LENGTH));
  decipher.setAAD(Buffer.concat([keys.archiveId, entry.encoded]));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_LENGTH));
  const opened = decipher.update(sealed.subarray(NONCE_LENGTH, sealed.length - TAG_LENGTH));
  try {
    decipher.final();
  } catch (cause) {
    throw new Refusal('bad_seal', 'the seal of a frame does not open', { cause });
  }
  return opened;
}

function openRaw(padded: Buffer, plainLength: number): Buffer {
  demand(plainLength <= padded.length, 'malformed', 'a raw chunk that ends early');
  const isZero = padded.subarray(plainLength).every((byte) => byte === 0);
  demand(isZero, 'malformed', 'padding that is not zeros');
  return padded.subarray(0, plainLength);
}

function unpack(opened: Buffer): Buffer {
  const codec = opened.readUInt8(0);
  const plainLength = opened.readUInt32BE(1);
  demand(plainLength <= MAX_PLAIN_LENGTH, 'malformed', `a chunk of ${plainLength} bytes`);
  demand(codec <= 1, 'malformed', `codec ${codec}`);
  const padded = opened.subarray(SEAL_HEAD_LENGTH);
  return codec === 0 ? openRaw(padded, plainLength) : openZstd(padded, plainLength);
}

/** The id over the kind, then count and links where the kind has them, then the body (format §2.1, §3.1). */
export function chunkId(keys: Pick<ArchiveKeys, 'idKey'>, kind: Kind, links: readonly Buffer[], body: Buffer): Buffer {
  if (!LINKED.has(kind)) return hmac(keys.idKey, Buffer.of(kind), body);
  const count = Buffer.alloc(4);
  count.writeUInt32BE(links.length);
  return hmac(keys.idKey, Buffer.of(kind), count, ...links, body);
}

/** Opens a frame that fills `bytes` exactly. */
export function openFrame(bytes: Buffer, keys: ArchiveKeys): Chunk {
  const entry = readEntry(bytes, 0);
  demand(frameLength(entry) === bytes.length, 'malformed', 'a frame of another length than its entry says');
  const body = unpack(unseal(entry, bytes.subarray(entry.encoded.length), keys));
  const { kind, id, links } = entry;
  demand(chunkId(keys, kind, links, body).equals(id), 'chunk_id_mismatch', `a chunk that is not ${id.toString('hex')}`);
  return { kind, id, links, body };
}
