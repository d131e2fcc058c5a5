/** A tree of files on disk that meets every case of format §5, and what the system says about such a tree. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TreeEntry } from './tree-entry.ts';

/** What both a disk and a listing know of an entry. */
export interface Facts {
  readonly type: TreeEntry['type'];
  readonly mode: number;
  readonly owner: readonly [uid: number, gid: number];
  readonly mtime: readonly [sec: number, nsec: number];
  readonly size: number | undefined;
  readonly hash: string | undefined;
  readonly target: string | undefined;
}

export interface DiskTree {
  /** By path below the root, one character per byte. */
  readonly facts: ReadonlyMap<string, Facts>;
  /** Paths of the same file, for each file that has several. */
  readonly groups: readonly (readonly string[])[];
}

const BILLION = 1_000_000_000n;
const bytesOf = (path: string): Buffer => Buffer.from(path, 'latin1');

/** The same bytes each time, which neither repeat nor compress. */
export const noise = (name: string, length: number): Buffer =>
  createHash('shake256', { outputLength: length }).update(name).digest();

function typeOf(stats: BigIntStats): TreeEntry['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  return stats.isSocket() ? 'socket' : stats.isBlockDevice() ? 'block' : 'char';
}

function factsOf(path: Buffer, stats: BigIntStats): Facts {
  const type = typeOf(stats);
  const nsec = ((stats.mtimeNs % BILLION) + BILLION) % BILLION;
  return {
    type,
    mode: Number(stats.mode & 0o7777n),
    owner: [Number(stats.uid), Number(stats.gid)],
    mtime: [Number((stats.mtimeNs - nsec) / BILLION), Number(nsec)],
    size: type === 'file' ? Number(stats.size) : undefined,
    hash: type === 'file' ? createHash('sha256').update(readFileSync(path)).digest('hex') : undefined,
    target: type === 'symlink' ? readlinkSync(path, 'latin1') : undefined,
  };
}

function* pathsBelow(root: string, below = ''): Generator<string> {
  for (const name of readdirSync(bytesOf(root + below), { encoding: 'latin1' })) {
    const path = `${below}/${name}`;
    yield path;
    if (lstatSync(bytesOf(root + path)).isDirectory()) yield* pathsBelow(root, path);
  }
}

export function scanTree(root: string): DiskTree {
  const facts = new Map<string, Facts>();
  const inodes = new Map<bigint, string[]>();
  for (const path of pathsBelow(root)) {
    const stats = lstatSync(bytesOf(root + path), { bigint: true });
    facts.set(path, factsOf(bytesOf(root + path), stats));
    if (!stats.isDirectory()) inodes.getOrInsertComputed(stats.ino, () => []).push(path);
  }
  return { facts, groups: severalOf(inodes.values()) };
}

export const severalOf = (groups: Iterable<readonly string[]>): string[][] =>
  [...groups]
    .filter((paths) => paths.length > 1)
    .map((paths) => [...paths].sort())
    .sort((one, other) => (one[0]! < other[0]! ? -1 : 1));

/** A file that holds pieces at offsets and holes between them. */
function writeSparse(path: string, size: number, pieces: readonly (readonly [at: number, bytes: Buffer])[]): void {
  const file = openSync(path, 'w');
  for (const [at, bytes] of pieces) writeSync(file, bytes, 0, bytes.length, at);
  ftruncateSync(file, size);
  closeSync(file);
}

function makeOddNames(root: string): void {
  mkdirSync(root);
  const names = [
    '\xff\xfe not utf-8',
    'new\nline',
    '\xe4',
    ' ',
    '-rf',
    '...',
    '\\',
    'n'.repeat(255),
    'a\xcc\x88',
    '\xc3\xa4',
  ];
  for (const name of names) writeFileSync(bytesOf(`${root}/${name}`), noise(name, 50));
  mkdirSync(bytesOf(`${root}/\x01 \xf0\x28`));
  writeFileSync(bytesOf(`${root}/\x01 \xf0\x28/inside`), 'below an odd name');
  symlinkSync(bytesOf('../\xff nowhere'), bytesOf(`${root}/\xee link`));
}

function makeSizes(root: string): void {
  mkdirSync(root);
  const sizes = [0, 1, 4096, 131_071, 131_072, 262_144, 262_145, 5_000_000];
  for (const size of sizes) writeFileSync(join(root, `${size}`), noise(`size ${size}`, size));
  writeFileSync(join(root, 'copy of 5000000'), noise('size 5000000', 5_000_000));
  writeFileSync(join(root, 'zeros'), Buffer.alloc(3_000_000));
  writeFileSync(join(root, 'text'), 'the same line again\n'.repeat(40_000));
}

function makeSparse(root: string): void {
  mkdirSync(root);
  const page = 4096;
  writeSparse(join(root, 'only a hole'), 1_000_001, []);
  writeSparse(join(root, 'small'), 50_000_000, [[20 * page, noise('small piece', page)]]);
  writeSparse(join(root, 'large'), 20_000_000, [
    [0, noise('first', 2_000_000 - (2_000_000 % page))],
    [2500 * page, noise('second', 100 * page)],
    [4000 * page, noise('third', page)],
  ]);
}

/** Whether the system took it. */
export function setAttribute(path: string, name: string, value: string): boolean {
  return spawnSync('setfattr', ['-n', name, '-v', value, path]).status === 0;
}

function makeSpecial(root: string): void {
  mkdirSync(root);
  mkdirSync(join(root, 'empty directory'));
  execFileSync('mkfifo', ['-m', '640', join(root, 'fifo')]);
  symlinkSync('somewhere/else', join(root, 'link'));
  for (const mode of [0o000, 0o4755, 0o2750, 0o1777]) {
    const path = join(root, `mode ${mode.toString(8)}`);
    writeFileSync(path, `mode ${mode}`);
    chmodSync(path, mode);
  }
  writeFileSync(join(root, 'old'), 'before 1970');
  utimesSync(join(root, 'old'), -86_400.5, -86_400.5);
  writeFileSync(join(root, 'future'), 'far away');
  utimesSync(join(root, 'future'), 4_000_000_000.25, 4_000_000_000.25);
}

function makeLinks(root: string): void {
  mkdirSync(root);
  mkdirSync(join(root, 'other'));
  writeFileSync(join(root, 'one'), noise('linked', 300_000));
  for (const path of ['two', 'other/three']) linkSync(join(root, 'one'), join(root, path));
  writeFileSync(join(root, 'little'), 'a small file with two names');
  linkSync(join(root, 'little'), join(root, 'other/little'));
}

export function makeMany(root: string, count: number): void {
  mkdirSync(root, { recursive: true });
  for (let at = 0; at < count; at++) writeFileSync(join(root, `entry ${at}`), `the content of entry ${at}`);
}

/** `many` entries go into one directory. */
export function makeTree(root: string, many: number): void {
  mkdirSync(root, { recursive: true });
  makeOddNames(join(root, 'odd'));
  makeSizes(join(root, 'sizes'));
  makeSparse(join(root, 'sparse'));
  makeSpecial(join(root, 'special'));
  makeLinks(join(root, 'links'));
  makeMany(join(root, 'many'), many);
  makeMany(join(root, 'going'), 3);
}

/** What a second snapshot finds: changed, new, deleted, replaced by another type. */
export function changeTree(root: string): void {
  writeFileSync(join(root, 'many/entry 7'), 'another content');
  writeFileSync(join(root, 'many/new'), 'new');
  rmSync(join(root, 'many/entry 8'));
  rmSync(join(root, 'going'), { recursive: true });
  rmSync(join(root, 'sizes/5000000'));
  rmSync(join(root, 'sizes/text'));
  mkdirSync(join(root, 'sizes/text'));
  writeFileSync(join(root, 'sizes/text/inside'), 'a directory where a file was');
  rmSync(join(root, 'links/two'));
}
