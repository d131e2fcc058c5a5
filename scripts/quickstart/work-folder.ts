/**
 * The work folder: a copy of what the person named (the original is only read), and the changes made to it between the
 * two backups. The changes touch each kind of thing that a backup can get wrong.
 */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';

/** Packages that hold nothing but a Node binary of 100 MB. */
const NODE_BINARIES = /^node-(bin-)?(linux|darwin|win)-(x64|arm64)$/;

/** Copies the content of `from` into a new directory `to`. */
export function copyFolder(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  const isModules = basename(from) === 'node_modules';
  const names = readdirSync(from).filter((name) => !(isModules && NODE_BINARIES.test(name)));
  if (process.platform === 'win32') {
    for (const name of names) {
      cpSync(join(from, name), join(to, name), { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    }
    return;
  }
  // cp -a keeps hard links, extended attributes and exact times, which fs.cp does not
  for (let at = 0; at < names.length; at += 500) {
    const sources = names.slice(at, at + 500).map((name) => join(from, name));
    execFileSync('cp', ['-a', '--', ...sources, to], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

/** Changes the work folder and says what was done, one line a change. */
export function changeFolder(folder: string, run: number): string[] {
  const done: string[] = [];
  const files = someFiles(folder, 4);
  const [edited, truncated, deleted, chmodded] = files;
  if (edited !== undefined) {
    appendFileSync(edited, `\nchanged by run ${run}\n`);
    done.push(`appended to ${basename(edited)}`);
  }
  if (truncated !== undefined) {
    truncateSync(truncated, Math.floor(lstatSync(truncated).size / 2));
    done.push(`cut ${basename(truncated)} in half`);
  }
  if (deleted !== undefined) {
    rmSync(deleted);
    done.push(`deleted ${basename(deleted)}`);
  }
  if (chmodded !== undefined) {
    chmodSync(chmodded, 0o600);
    done.push(`changed the mode of ${basename(chmodded)}`);
  }
  const added = join(folder, `added in run ${run}`);
  mkdirSync(added, { recursive: true });
  const big = join(added, 'three megabytes.bin');
  writeFileSync(big, pseudoRandom(3 << 20, run));
  linkSync(big, join(added, 'the same, hard-linked.bin'));
  symlinkSync('../nowhere', join(added, 'dangling link'));
  writeFileSync(join(added, 'a name with\na newline and "quotes"'), 'odd\n');
  writeFileSync(Buffer.concat([Buffer.from(join(added, 'not utf-8 ')), Buffer.from([0xff, 0xfe])]), 'odd\n');
  writeFileSync(join(added, 'empty'), '');
  const old = join(added, 'from 1969');
  writeFileSync(old, 'old\n');
  utimesSync(old, -86_400, -86_400);
  done.push('added a folder with a large file, a hard link, a dangling link, odd names and an old date');
  const moved = firstDirectory(folder, basename(added));
  if (moved !== undefined && !existsSync(join(added, 'moved here'))) {
    renameSync(moved, join(added, 'moved here'));
    done.push(`moved ${basename(moved)}`);
  }
  return done;
}

/** The first `count` non-empty regular files with one link, breadth first in name order: the same for the same tree. */
function someFiles(folder: string, count: number): string[] {
  const found: string[] = [];
  const pending = [folder];
  for (let directory = pending.shift(); directory !== undefined; directory = pending.shift()) {
    for (const name of readdirSync(directory).sort()) {
      const path = join(directory, name);
      if (!existsSync(path)) continue; // a name that is no UTF-8, or a dangling link
      const stat = lstatSync(path);
      if (stat.isDirectory()) pending.push(path);
      else if (stat.isFile() && stat.size > 0 && stat.nlink === 1) found.push(path);
      if (found.length === count) return found;
    }
  }
  return found;
}

function firstDirectory(folder: string, except: string): string | undefined {
  const entry = readdirSync(folder, { withFileTypes: true })
    .filter((one) => one.isDirectory() && one.name !== except && !one.name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))[0];
  return entry === undefined ? undefined : join(folder, entry.name);
}

function pseudoRandom(length: number, seed: number): Buffer {
  const out = Buffer.alloc(length);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[at] = state;
  }
  return out;
}
