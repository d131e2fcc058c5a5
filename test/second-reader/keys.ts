/** Archive keys (format §2.1) and the key files that carry them (§2.4). */
import { createHmac } from 'node:crypto';
import type { CborMap } from './cbor.ts';
import { bodyOf, field, id16, id32, list, text, u16, u32, uint } from './fields.ts';
import { type Identity, openHybrid } from './identity.ts';
import { demand } from './refusal.ts';
import { openStatement } from './statement.ts';

/** Chunker parameters (format §3.3); lengths in bytes. */
export interface CutParams {
  readonly min: number;
  readonly normal: number;
  readonly max: number;
  readonly strictBits: number;
  readonly looseBits: number;
}

export interface KeyFile {
  readonly archiveId: Buffer;
  readonly generation: number;
  readonly idKey: Buffer;
  readonly chunkerKey: Buffer;
  readonly contentKey: Buffer;
  readonly data: CutParams;
  readonly bundle: CutParams;
  readonly recipient: string;
  readonly createdMs: number;
}

/** All that opens and names chunks. */
export interface ArchiveKeys {
  readonly archiveId: Buffer;
  readonly idKey: Buffer;
  readonly chunkerKey: Buffer;
  readonly contentKeys: ReadonlyMap<number, Buffer>;
  readonly data: CutParams;
  readonly bundle: CutParams;
}

export function hmac(key: Buffer, ...parts: readonly (Buffer | string)[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

export const snapshotMacKey = (idKey: Buffer): Buffer => hmac(idKey, 'holdfast snapshot mac');

/** `content` is what was read of a small file, holes left out (format §3.4). */
export const fileIdOf = (idKey: Buffer, content: Buffer): Buffer => hmac(idKey, Buffer.of(2), content).subarray(0, 16);

const MAX_PLAIN = 8_388_608;

function cutParams(map: CborMap, key: number): CutParams {
  const [min, normal, max, strictBits, looseBits] = list(field(map, key), 5).map(u32) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const ascend = 1 <= min && min <= normal && normal <= max && max <= MAX_PLAIN;
  const sound = ascend && 1 <= looseBits && looseBits <= strictBits && strictBits <= 31;
  demand(sound, 'malformed', 'chunker parameters that cut nothing');
  return { min, normal, max, strictBits, looseBits };
}

export function parseKeyFileBody(body: Buffer): KeyFile {
  const map = bodyOf(body, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const generation = u16(field(map, 2));
  demand(generation >= 1, 'malformed', 'generation 0');
  return {
    archiveId: id16(field(map, 1)),
    generation,
    idKey: id32(field(map, 3)),
    chunkerKey: id32(field(map, 4)),
    contentKey: id32(field(map, 5)),
    data: cutParams(map, 6),
    bundle: cutParams(map, 7),
    recipient: text(field(map, 8)),
    createdMs: uint(field(map, 9)),
  };
}

/** Opens one key file; `pinned` are signing keys trusted beside the identity's own. */
export async function openKeyFile(file: Buffer, identity: Identity, pinned: readonly Buffer[] = []): Promise<KeyFile> {
  const statement = await openHybrid(file, identity.age);
  const body = openStatement(statement, 'holdfast key file 1\0', [identity.publicKey, ...pinned]);
  const keyFile = parseKeyFileBody(body);
  demand(keyFile.recipient === identity.recipient, 'wrong_recipient', 'a key file made for another recipient');
  return keyFile;
}

function agrees(one: KeyFile, other: KeyFile): boolean {
  const fixed = (file: KeyFile): string =>
    JSON.stringify([file.idKey.toString('hex'), file.chunkerKey.toString('hex'), file.data, file.bundle]);
  return fixed(one) === fixed(other);
}

/** Joins the generations of one archive. */
export function joinKeyFiles(archiveId: Buffer, files: readonly KeyFile[]): ArchiveKeys {
  const [first] = files;
  demand(first !== undefined, 'missing', 'no key file for this identity');
  const ours = files.every((file) => file.archiveId.equals(archiveId));
  demand(ours, 'wrong_archive', 'a key file of another archive');
  demand(
    files.every((file) => agrees(first, file)),
    'malformed',
    'generations that disagree about the keys that never change',
  );
  const contentKeys = new Map(files.map((file) => [file.generation, file.contentKey]));
  demand(contentKeys.size === files.length, 'malformed', 'two key files of one generation');
  const { idKey, chunkerKey, data, bundle } = first;
  return { archiveId, idKey, chunkerKey, contentKeys, data, bundle };
}
