/** What a backup remembers on a device: a crash, or the disk, may have damaged it. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Cache, CacheDamaged } from '@holdfast/archive/backup/cache.ts';
import { contentOf } from '@holdfast/archive/backup/content.ts';
import { loadKnownIds, saveKnownIds } from '@holdfast/archive/backup/known-ids.ts';
import { NO_TOTALS } from '@holdfast/archive/backup/node.ts';
import { encodeRecord } from '@holdfast/archive/backup/record.ts';
import { pathHash, ROW_LENGTH, TYPE } from '@holdfast/archive/source/rows.ts';
import { type Decoder, placeOf } from './decoder.ts';

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

const OWNER = [new Uint8Array(16)];

/** A cache with two directories, and the place where the last transaction stands in it. */
function madeCache(): { readonly path: string; readonly directory: string } {
  const directory = placeOf('cache');
  const cache = Cache.open(directory, OWNER);
  for (const path of ['/a', '/b']) {
    const row = Buffer.alloc(ROW_LENGTH);
    row[0] = TYPE.symlink;
    const entry = { name: Buffer.from('n'), row, group: 0, again: false, deleted: 0 };
    const content = contentOf({ target: Buffer.from('somewhere') });
    const state = { fingerprint: Buffer.alloc(16), tree: Buffer.alloc(32), oldestGone: 0, totals: NO_TOTALS };
    cache.put(pathHash(Buffer.from(path)), state, encodeRecord(Buffer.from(path), [{ ...entry, content }], []));
  }
  cache.setBundle(Buffer.alloc(32, 1), 9);
  cache.setNote(Buffer.from('a note'));
  cache.commit();
  cache.close();
  const [name = ''] = readdirSync(directory).filter((each) => each.endsWith('.cache'));
  return { path: join(directory, name), directory };
}

/** Checksums of the newest slot and of its footer made to fit: damage that they would find is not what is tried. */
function checked(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  if (copy.length < 128) return copy;
  const slot = copy.readUInt32LE(40 + 16) >= copy.readUInt32LE(64 + 16) ? 40 : 64;
  copy.writeUInt32LE(crc32(copy.subarray(slot, slot + 20)), slot + 20);
  const [at, length] = [copy.readDoubleLE(slot), copy.readDoubleLE(slot + 8)];
  const end = at + length;
  if (!(at >= 128 && length >= 32 && end <= copy.length)) return copy;
  sha256(copy.subarray(at, end - 16)).copy(copy, end - 16, 0, 16);
  return copy;
}

function openCache(directory: string): unknown {
  const cache = Cache.open(directory, OWNER);
  try {
    return [...cache.all()].map((row) => cache.record(cache.place(row)).live);
  } catch (error) {
    // Begins anew: a cache only saves work
    if (error instanceof CacheDamaged) return null;
    throw error;
  } finally {
    cache.close();
    rmSync(join(directory, `${sha256(Buffer.concat(OWNER)).toString('hex', 0, 16)}.cache.new`), { force: true });
  }
}

function madeKnownIds(): { readonly path: string; readonly directory: string } {
  const directory = placeOf('known');
  saveKnownIds(directory, OWNER, { cursor: '1.2', prefixes: Buffer.alloc(64, 7) });
  const [name = ''] = readdirSync(directory);
  return { path: join(directory, name), directory };
}

const cache = madeCache();
const known = madeKnownIds();

export const CACHE_DECODERS: readonly Decoder[] = [
  {
    name: 'cache of directories',
    of: ['archive/backup/cache.ts Cache', 'archive/backup/record.ts DirectoryRecord'],
    decode: (bytes) => {
      writeFileSync(cache.path, checked(bytes));
      return openCache(cache.directory);
    },
    golden: [readFileSync(cache.path)],
    weight: 4,
  },
  {
    name: 'cache of ids',
    of: ['archive/backup/known-ids.ts loadKnownIds'],
    decode: (bytes) => {
      writeFileSync(
        known.path,
        bytes.length < 16
          ? bytes
          : Buffer.concat([bytes.subarray(0, -16), sha256(bytes.subarray(0, -16)).subarray(0, 16)]),
      );
      return loadKnownIds(known.directory, OWNER);
    },
    golden: [readFileSync(known.path)],
    weight: 2,
  },
];
