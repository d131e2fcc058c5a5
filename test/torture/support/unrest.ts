// A process that never leaves a folder alone: what is in it grows, shrinks, vanishes, is replaced by something of another type, may not
// be read for a moment. `node unrest.ts FOLDER`; ends when its input does, and leaves the folder as it is then.
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeFifo } from '../../../packages/archive/src/system/native.ts';
import { Random } from './random.ts';

const LARGE = 400_000;
const NAMES = 40;
const random = new Random('unrest');
const root = process.argv[2] as string;

type Act = (path: string) => void;
const remove: Act = (path) => rmSync(path, { recursive: true, force: true });
const replacing =
  (make: Act): Act =>
  (path) => {
    remove(path);
    make(path);
  };

/** A FIFO would wait for a reader. */
const toFile =
  (change: Act): Act =>
  (path) => {
    if (lstatSync(path).isFile()) change(path);
  };

const ACTS: readonly Act[] = [
  toFile((path) => appendFileSync(path, 'more '.repeat(random.below(30_000)))),
  toFile((path) => truncateSync(path, random.below(LARGE))),
  replacing((path) => writeFileSync(path, Buffer.alloc(random.below(LARGE), path))),
  replacing((path) => writeFileSync(path, 'small')),
  replacing(makeFolder),
  replacing((path) => symlinkSync('/etc/hostname', path)),
  replacing((path) => makeFifo(Buffer.from(path), 0o600)),
  remove,
  (path) => chmodSync(path, 0),
  (path) => renameSync(path, join(root, nameOf(random.below(NAMES)))),
];

function makeFolder(path: string): void {
  mkdirSync(join(path, 'in', 'it'), { recursive: true });
  for (const name of ['a', 'in/b', 'in/it/c']) writeFileSync(join(path, name), name);
}

function nameOf(number: number): string {
  return `restless ${number}`;
}

function act(): void {
  try {
    random.pick(ACTS)(join(root, nameOf(random.below(NAMES))));
  } catch {
    // it is something else than this act is for
  }
}

let ended = false;
process.stdin.on('end', () => {
  ended = true;
});
process.stdin.resume();
for (let acts = 0; !ended; acts++) {
  act();
  if (acts === NAMES) console.log('restless');
  await new Promise((resolve) => setImmediate(resolve));
}
