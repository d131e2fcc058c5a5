/**
 * Trees made from a seed, and changes to them: a few hundred small files, links of both kinds, and large files of several
 * packs together.
 */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Random } from './random.ts';

export type TreeSize = { readonly files: number; readonly largeBytes: number };

const LARGE = 'large';
const FOLDERS = ['', 'docs', 'docs/old', 'photos', 'photos/2019', 'photos/2019/may', 'src', 'src/lib', 'mail'];
const WORDS = 'lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor '.split(' ');

export function makeTree(root: string, size: TreeSize, random: Random): void {
  for (const folder of FOLDERS) mkdirSync(join(root, folder), { recursive: true });
  for (let i = 0; i < size.files; i++) writeFileSync(join(root, random.pick(FOLDERS), `file ${i}`), content(random));
  symlinkSync('docs/old', join(root, 'shortcut'));
  symlinkSync('nowhere', join(root, 'dangling'));
  linkSync(join(root, firstFile(root)), join(root, 'second name'));
  mkdirSync(join(root, LARGE));
  rewriteLarge(root, size.largeBytes, random);
}

/** So much new content that a backup has several packs to send. */
export function rewriteLarge(root: string, bytes: number, random: Random): void {
  writeFileSync(join(root, LARGE, `video ${random.below(3)}`), random.bytes(bytes));
}

/** One of a few contents that every device in every world knows: it was there before, is gone, comes back. */
export function recallLarge(root: string, bytes: number, random: Random): void {
  writeFileSync(join(root, LARGE, 'old video'), new Random(`old video ${random.below(3)}`).bytes(bytes));
}

function recall(path: string, random: Random): void {
  const pool = new Random(`old content ${random.below(60)}`);
  writeFileSync(path, pool.bytes(pool.below(20_000)));
}

type Change = (root: string, random: Random) => void;

const CHANGES: readonly (readonly [weight: number, Change])[] = [
  [6, (root, random) => writeFileSync(join(root, someFolder(root, random), newName(random)), content(random))],
  [5, (root, random) => onFile(root, random, (path) => writeFileSync(path, content(random)))],
  [3, (root, random) => onFile(root, random, (path) => appendFileSync(path, content(random)))],
  [4, (root, random) => onFile(root, random, (path) => rmSync(path))],
  [3, (root, random) => onFile(root, random, (path) => renameSync(path, join(dirname(path), newName(random))))],
  [2, (root, random) => moveFile(root, random)],
  [1, (root, random) => onFile(root, random, (path) => chmodSync(path, random.pick([0o600, 0o640, 0o755])))],
  [1, (root, random) => onFile(root, random, (path) => touch(path, random))],
  [1, (root, random) => onFile(root, random, (path) => linkSync(path, join(root, newName(random))))],
  [1, (root, random) => mkdirSync(join(root, someFolder(root, random), newName(random)))],
  [1, (root, random) => renameFolder(root, random)],
  [1, (root, random) => onFile(root, random, replaceByFolder)],
  [2, (root, random) => writeInside(root, random)],
  [5, (root, random) => onFile(root, random, (path) => recall(path, random))],
];
const DECK: readonly Change[] = CHANGES.flatMap(([weight, change]) => new Array<Change>(weight).fill(change));

/** One, and none that makes it larger while it has more than `most` small files. */
export function changeOne(root: string, random: Random, most: number): void {
  if (smallFiles(root).length > most) onFile(root, random, (path) => rmSync(path));
  else random.pick(DECK)(root, random);
}

/** At least one change is certain: a new file. */
export function changeTree(root: string, random: Random): number {
  const count = random.magnitude(40);
  writeFileSync(join(root, newName(random)), content(random));
  for (let i = 0; i < count; i++) random.pick(DECK)(root, random);
  return count + 1;
}

/** All files below `root` but the large ones, in a stable order. */
function smallFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith(LARGE))
    .sort();
}

function firstFile(root: string): string {
  const [first] = smallFiles(root);
  if (first === undefined) throw new Error('a tree without files');
  return first;
}

function folders(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => path !== LARGE)
    .sort();
}

const someFolder = (root: string, random: Random): string => random.pick(['', ...folders(root)]);
const newName = (random: Random): string => `${random.pick(WORDS)} ${random.below(2 ** 32).toString(36)}`;

function onFile(root: string, random: Random, change: (path: string) => void): void {
  const files = smallFiles(root);
  if (files.length > 0) change(join(root, random.pick(files)));
}

function moveFile(root: string, random: Random): void {
  const to = someFolder(root, random);
  onFile(root, random, (path) => renameSync(path, join(root, to, newName(random))));
}

function renameFolder(root: string, random: Random): void {
  const top = folders(root).filter((path) => !path.includes('/'));
  if (top.length > 0) renameSync(join(root, random.pick(top)), join(root, newName(random)));
}

function replaceByFolder(path: string): void {
  rmSync(path);
  mkdirSync(path);
  writeFileSync(join(path, 'inside'), 'a folder now\n');
}

function touch(path: string, random: Random): void {
  const at = random.between(0, 1_700_000_000);
  utimesSync(path, at, at);
}

/** One page in the middle of a large file: most of its chunks stay. */
function writeInside(root: string, random: Random): void {
  const path = join(root, LARGE, random.pick(readdirSync(join(root, LARGE)).sort()));
  const { size } = statSync(path);
  const fd = openSync(path, 'r+');
  writeSync(fd, random.bytes(4096), 0, 4096, random.below(Math.max(1, size - 4096)));
  closeSync(fd);
}

function content(random: Random): Buffer {
  const kind = random.below(20);
  if (kind === 0) return Buffer.alloc(0);
  if (kind === 1) return random.bytes(random.below(400_000));
  if (kind < 8) return random.bytes(random.below(9_000));
  return Buffer.from(Array.from({ length: random.below(800) }, () => random.pick(WORDS)).join(' '));
}
