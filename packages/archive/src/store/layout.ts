// Where each object of an archive lies in a store point: format §7. The only place that builds or takes apart such names.

import { ArchiveError } from '../errors.ts';
import { ARCHIVE_ID_LENGTH, fromHex, ID_LENGTH, toHex } from '../format/ids.ts';

/** What a name stands for; ids are binary, `name` is the part behind the folder. */
export type StoredObject =
  | {
      readonly kind: 'pack' | 'snapshot' | 'receipt' | 'tombstone';
      readonly archiveId: Uint8Array;
      readonly id: Uint8Array;
    }
  | { readonly kind: 'keyFile' | 'identity'; readonly archiveId: Uint8Array; readonly name: string }
  | { readonly kind: 'deviceList'; readonly archiveId: Uint8Array; readonly counter: number }
  | { readonly kind: 'policy'; readonly archiveId: Uint8Array };

/** The folders of one archive, as they stand in prefixes of listings. */
export type Folder = 'packs' | 'snapshots' | 'receipts' | 'tombstones' | 'keys' | 'identities' | 'devices';

export const ARCHIVES_PREFIX = 'archives/';
export const PASSPHRASE_WRAP_NAME = 'passphrase.age';
/** Wraps of one recipient: beyond these a store keeps no more, and none that is there goes. */
export const MAX_WRAPS = 100;
/** The largest counter that ten digits hold. */
export const MAX_DEVICE_LIST_COUNTER = 9_999_999_999;

export const archivePrefix = (archiveId: Uint8Array): string => `${ARCHIVES_PREFIX}${archiveHex(archiveId)}/`;
export const folderPrefix = (archiveId: Uint8Array, folder: Folder): string => `${archivePrefix(archiveId)}${folder}/`;

export function packName(archiveId: Uint8Array, packId: Uint8Array): string {
  const hex = idHex(packId);
  return `${folderPrefix(archiveId, 'packs')}${hex.slice(0, 2)}/${hex}`;
}

export const snapshotName = (archiveId: Uint8Array, snapshotId: Uint8Array): string =>
  `${folderPrefix(archiveId, 'snapshots')}${idHex(snapshotId)}`;
export const receiptName = (archiveId: Uint8Array, snapshotId: Uint8Array): string =>
  `${folderPrefix(archiveId, 'receipts')}${idHex(snapshotId)}`;
export const tombstoneName = (archiveId: Uint8Array, snapshotId: Uint8Array): string =>
  `${folderPrefix(archiveId, 'tombstones')}${idHex(snapshotId)}`;
export const policyName = (archiveId: Uint8Array): string => `${archivePrefix(archiveId)}policy`;

export function deviceListName(archiveId: Uint8Array, counter: number): string {
  if (!Number.isSafeInteger(counter) || counter < 0 || counter > MAX_DEVICE_LIST_COUNTER)
    throw nameless(`${counter} is no counter of a device list`);
  return `${folderPrefix(archiveId, 'devices')}${String(counter).padStart(10, '0')}`;
}

/** `name` is e.g. `00001-<32 digits>.age`: `keyFileBaseName` makes it. Anything else is refused, since it may come from afar. */
export function keyFileName(archiveId: Uint8Array, name: string): string {
  if (!KEY_FILE.test(name)) throw new ArchiveError('blob_name_invalid', { name, detail: 'no name of a key file' });
  return `${folderPrefix(archiveId, 'keys')}${name}`;
}

export function identityName(archiveId: Uint8Array, name: string): string {
  if (!IDENTITY.test(name))
    throw new ArchiveError('blob_name_invalid', { name, detail: 'no name of an identity wrap' });
  return `${folderPrefix(archiveId, 'identities')}${name}`;
}

/** The `n`th wrap for a recipient, from 1: `name` is that of the first, without its folder. */
export function numberedWrap(name: string, n: number): string {
  if (!FIRST_WRAP.test(name))
    throw new ArchiveError('blob_name_invalid', { name, detail: 'no name of an identity wrap' });
  return n === 1 ? name : `${name.slice(0, -'.age'.length)}-${String(n).padStart(5, '0')}.age`;
}

/** Which of a recipient's wraps `other` is, from 1; 0 if it is no wrap for that recipient. */
export function wrapNumber(name: string, other: string): number {
  if (other === name) return 1;
  const [, n] = /-([0-9]{5})\.age$/.exec(other) ?? [];
  return n !== undefined && Number(n) > 1 && numberedWrap(name, Number(n)) === other ? Number(n) : 0;
}

/** `recipientHash` is the SHA-256 of the recipient's text; its first half goes into the name. */
export function keyFileBaseName(generation: number, recipientHash: Uint8Array): string {
  if (!Number.isInteger(generation) || generation < 1 || generation > 0xffff)
    throw nameless(`${generation} is no generation`);
  return `${String(generation).padStart(5, '0')}-${identityBaseName(recipientHash)}`;
}

export const identityBaseName = (recipientHash: Uint8Array): string => `${toHex(recipientHash.subarray(0, 16))}.age`;

const KEY_FILE = /^[0-9]{5}-[0-9a-f]{32}\.age$/;
const FIRST_WRAP = /^(?:[0-9a-f]{32}|passphrase)\.age$/;
const IDENTITY = /^(?:[0-9a-f]{32}|passphrase)(?:-[0-9]{5})?\.age$/;
const HEX_ID = /^[0-9a-f]{64}$/;
const ARCHIVE = /^archives\/([0-9a-f]{32})\/(.+)$/;

/** What `name` stands for, or `null` when format §7 knows no such name: a listing may hold what others left there. */
export function parseName(name: string): StoredObject | null {
  const [, archive, rest] = ARCHIVE.exec(name) ?? [];
  if (archive === undefined || rest === undefined) return null;
  const archiveId = fromHex(archive);
  if (rest === 'policy') return { kind: 'policy', archiveId };
  const [folder, ...names] = rest.split('/');
  if (folder === 'packs') return parsePack(archiveId, names);
  const [last] = names;
  return last === undefined || names.length > 1 ? null : parseFile(archiveId, folder as Folder, last);
}

function parsePack(archiveId: Uint8Array, [fan, hex, ...more]: readonly string[]): StoredObject | null {
  if (hex === undefined || more.length > 0 || !HEX_ID.test(hex) || fan !== hex.slice(0, 2)) return null;
  return { kind: 'pack', archiveId, id: fromHex(hex) };
}

const BY_ID = { snapshots: 'snapshot', receipts: 'receipt', tombstones: 'tombstone' } as const;

function parseFile(archiveId: Uint8Array, folder: Folder, name: string): StoredObject | null {
  switch (folder) {
    case 'snapshots':
    case 'receipts':
    case 'tombstones':
      return HEX_ID.test(name) ? { kind: BY_ID[folder], archiveId, id: fromHex(name) } : null;
    case 'keys':
      return KEY_FILE.test(name) ? { kind: 'keyFile', archiveId, name } : null;
    case 'identities':
      return IDENTITY.test(name) ? { kind: 'identity', archiveId, name } : null;
    case 'devices':
      return /^[0-9]{10}$/.test(name) ? { kind: 'deviceList', archiveId, counter: Number(name) } : null;
    default:
      return null;
  }
}

function idHex(id: Uint8Array): string {
  if (id.length !== ID_LENGTH) throw nameless(`an id has ${ID_LENGTH} bytes, not ${id.length}`);
  return toHex(id);
}

function archiveHex(id: Uint8Array): string {
  if (id.length !== ARCHIVE_ID_LENGTH) throw nameless(`an archive id has ${ARCHIVE_ID_LENGTH} bytes, not ${id.length}`);
  return toHex(id);
}

/** What was to be named has no name in format §7. */
const nameless = (detail: string): ArchiveError => new ArchiveError('blob_name_invalid', { detail });
