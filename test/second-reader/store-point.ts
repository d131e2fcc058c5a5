/** One archive's directory in a store point (format §7), read from a disk. */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { demand } from './refusal.ts';

type Folder = 'snapshots' | 'keys' | 'identities' | 'devices';

export interface StoredArchive {
  readonly archiveId: Buffer;
  /** Names in a folder, ascending; none where the folder does not exist. */
  readonly names: (folder: Folder) => string[];
  readonly read: (folder: Folder, name: string) => Buffer;
  readonly packs: () => string[];
  readonly readPack: (pack: string) => Buffer;
  readonly readRange: (pack: string, at: number, length: number) => Buffer;
}

const PACK_NAME = /^[0-9a-f]{64}$/;

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readPart(path: string, at: number, length: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(length);
    demand(readSync(file, buffer, 0, length, at) === length, 'missing', `${path} ends early`);
    return buffer;
  } finally {
    closeSync(file);
  }
}

export function archiveIdsIn(storePoint: string): string[] {
  return namesIn(join(storePoint, 'archives'));
}

export function storedArchive(storePoint: string, archiveId: string): StoredArchive {
  const root = join(storePoint, 'archives', archiveId);
  const packPath = (pack: string): string => join(root, 'packs', pack.slice(0, 2), pack);
  return {
    archiveId: Buffer.from(archiveId, 'hex'),
    names: (folder) => namesIn(join(root, folder)),
    read: (folder, name) => readFileSync(join(root, folder, name)),
    packs: () =>
      namesIn(join(root, 'packs'))
        .flatMap((digits) => namesIn(join(root, 'packs', digits)))
        .filter((name) => PACK_NAME.test(name)),
    readPack: (pack) => readFileSync(packPath(pack)),
    readRange: (pack, at, length) => readPart(packPath(pack), at, length),
  };
}
