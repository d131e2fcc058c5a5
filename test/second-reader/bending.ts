/** What a hostile or failing store does to an archive: objects changed, packs rewritten under the ids of their new bytes. */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FrameEntry } from './frame.ts';
import { type PackedFrame, packIdOf, readPack } from './pack.ts';
import { type StoredArchive, storedArchive } from './store-point.ts';

export interface BentStore {
  /** The archive's directory. */
  readonly root: string;
  readonly stored: StoredArchive;
  readonly change: (name: string, edit: (bytes: Buffer) => Buffer) => void;
  /** The first frame that `suits`, and the pack that holds it. */
  readonly find: (suits: (entry: FrameEntry) => boolean) => { readonly pack: string; readonly frame: PackedFrame };
  /** Replaces a pack by what `edit` makes of it, named by its own hash as a pack must be. */
  readonly replacePack: (pack: string, edit: (bytes: Buffer) => Buffer) => void;
}

const TRAILER_LENGTH = 40;
export const packName = (pack: string): string => `packs/${pack.slice(0, 2)}/${pack}`;

export function flipped(bytes: Buffer, at: number): Buffer {
  const bent = Buffer.from(bytes);
  bent[at < 0 ? bytes.length + at : at]! ^= 1;
  return bent;
}

/** The pack with a trailer that vouches for whatever its table says now. */
export function withTrailer(pack: Buffer): Buffer {
  const bent = Buffer.from(pack);
  const trailerAt = bent.length - TRAILER_LENGTH;
  const table = bent.subarray(trailerAt - bent.readUInt32BE(trailerAt + 4), trailerAt);
  const counts = bent.subarray(trailerAt, trailerAt + 8);
  createHash('sha256')
    .update(table)
    .update(counts)
    .digest()
    .copy(bent, trailerAt + 8);
  return bent;
}

/** Where the entry of a frame stands in the table, in bytes from the start of the pack. */
export function tableOffset(pack: Buffer, entry: FrameEntry): number {
  const trailerAt = pack.length - TRAILER_LENGTH;
  const tableAt = trailerAt - pack.readUInt32BE(trailerAt + 4);
  return pack.indexOf(entry.encoded, tableAt);
}

/** The pack with the links of a frame replaced, in front of the frame and in the table alike. */
export function withLinks(pack: Buffer, { at, entry }: PackedFrame, links: readonly Buffer[]): Buffer {
  const bent = Buffer.from(pack);
  const linksAt = entry.encoded.length - Buffer.concat(links).length;
  for (const entryAt of [at, tableOffset(pack, entry)]) Buffer.concat(links).copy(bent, entryAt + linksAt);
  return withTrailer(bent);
}

/** A copy of a store point that may be bent without harm to the others. */
export function copyStore(storePoint: string, archiveId: string, target: string): BentStore {
  rmSync(target, { recursive: true, force: true });
  cpSync(storePoint, target, { recursive: true });
  const root = join(target, 'archives', archiveId);
  const stored = storedArchive(target, archiveId);
  const change: BentStore['change'] = (name, edit) =>
    writeFileSync(join(root, name), edit(readFileSync(join(root, name))));
  return {
    root,
    stored,
    change,
    find: (suits) => {
      for (const pack of stored.packs()) {
        const frame = readPack(stored.readPack(pack), stored.archiveId).find(({ entry }) => suits(entry));
        if (frame) return { pack, frame };
      }
      throw new Error('no such frame');
    },
    replacePack: (pack, edit) => {
      const bent = edit(stored.readPack(pack));
      rmSync(join(root, packName(pack)));
      const place = join(root, packName(packIdOf(bent)));
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, bent);
    },
  };
}
