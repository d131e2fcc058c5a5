/** Trees that are made, always the same: many small files of words, and large files that nothing compresses. */
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Random } from '../test/torture/support/random.ts';

const WORDS =
  'import export const return function class value name index error buffer stream archive chunk tree pack snapshot restore device server agent request answer number string boolean readonly await async yield promise'.split(
    ' ',
  );
const POOL_BYTES = 8 * 1024 * 1024;

/** Text of words as files hold them: a third of it is what zstd makes of it. */
export class Words {
  private readonly random: Random;
  private readonly pool: Buffer;

  constructor(random: Random) {
    this.random = random;
    this.pool = Buffer.from(pieces(random.fork('pool')).join(' '));
  }

  /** Begins with a number of its own, so that no two are equal. */
  next(min: number, max: number): Buffer {
    const own = Buffer.from(`${this.random.below(2 ** 32)} `);
    const length = Math.max(own.length, Math.floor(this.random.between(min, max)));
    const from = this.random.below(this.pool.length - length);
    return Buffer.concat([own, this.pool.subarray(from, from + length - own.length)]);
  }
}

/** One in five is a number, as in programs and logs. */
function pieces(random: Random): string[] {
  const made: string[] = [];
  for (let bytes = 0; bytes < POOL_BYTES; ) {
    const piece = random.chance(0.2) ? String(random.below(1_000_000)) : random.pick(WORDS);
    made.push(piece);
    bytes += piece.length + 1;
  }
  return made;
}

export type SmallFiles = {
  readonly files: number;
  readonly perFolder: number;
  /** Bytes of a file. */
  readonly min: number;
  readonly max: number;
};

/** `folder 0/file 0`, ...; returns the paths. */
export function makeSmallFiles(root: string, { files, perFolder, min, max }: SmallFiles): string[] {
  const words = new Words(new Random('small files'));
  return Array.from({ length: files }, (_, i) => {
    const path = join(root, `folder ${Math.floor(i / perFolder)}`, `file ${i}`);
    if (i % perFolder === 0) mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, words.next(min, max));
    return path;
  });
}

const PIECE = 8 * 1024 * 1024;

/** `bytes` of noise, `seed` decides which; with `insert` as many bytes more in the middle. */
export function makeLargeFile(path: string, bytes: number, seed: string, insert = 0): void {
  mkdirSync(dirname(path), { recursive: true });
  const random = new Random(seed);
  const fd = openSync(path, 'w');
  try {
    ftruncateSync(fd);
    const half = Math.floor(bytes / 2);
    writeNoise(fd, half, random);
    writeNoise(fd, insert, random.fork('inserted'));
    writeNoise(fd, bytes - half, random);
  } finally {
    closeSync(fd);
  }
}

function writeNoise(fd: number, bytes: number, random: Random): void {
  for (let left = bytes; left > 0; left -= PIECE) writeSync(fd, random.bytes(Math.min(PIECE, left)));
}
