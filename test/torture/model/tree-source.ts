/** A file system that holds a tree of the model and nothing else, for the engine's threads. Loaded there as a source module. */
import type { BigIntStats } from 'node:fs';
import { ROW_LENGTH, setName, TYPE, viewOf, writeRow } from '@holdfast/archive/source/rows.ts';
import type { FileSource, OpenFile, SourceModule, SourceOptions } from '@holdfast/archive/source/source.ts';
import { seedChance } from './seeded-chance.ts';
import { bytesOf, type Tree } from './tree.ts';

type Data = { readonly files: readonly (readonly [path: string, content: string])[]; readonly seed: string };

const OLD = 1_700_000_000_000n;
const NS = 1_000_000n;

export const treeSource = (tree: Tree, seed: string): SourceModule => ({
  module: import.meta.url,
  data: { files: [...tree], seed } satisfies Data,
});

export function createSource(options: SourceOptions): FileSource {
  const { files, seed } = options.data as Data;
  seedChance(seed);
  return new TreeSource(new Map(files));
}

class TreeSource implements FileSource {
  private readonly tree: Tree;

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** Long after any file was written. */
  now(): number {
    return Number(OLD) * 2;
  }

  scan(directory: Buffer) {
    const prefix = directory.toString() === '/' ? '' : `${directory.toString().slice(1)}/`;
    const inside = [...this.tree.keys()].filter((path) => path.startsWith(prefix));
    const names = [...new Set(inside.map((path) => path.slice(prefix.length).split('/')[0] as string))].sort();
    const rows = Buffer.alloc(names.length * ROW_LENGTH);
    let nameAt = 0;
    for (const [i, name] of names.entries()) {
      this.row(`${prefix}${name}`).copy(rows, i * ROW_LENGTH);
      setName(viewOf(rows), i * ROW_LENGTH, nameAt, name.length);
      nameAt += name.length;
    }
    return { count: names.length, rows, names: Buffer.from(names.join('')), failed: [] };
  }

  stat(path: Buffer): Buffer {
    return this.row(path.toString().slice(1));
  }

  open(path: Buffer): OpenFile {
    const name = path.toString().slice(1);
    const bytes = bytesOf(this.tree.get(name) as string);
    let next = 0;
    return {
      stat: () => this.row(name),
      extents: () => null,
      read: (into, at, length, position) => {
        const from = position ?? next;
        const count = bytes.copy(into, at, from, from + length);
        next = from + count;
        return count;
      },
      xattrs: () => [],
      close: () => {},
    };
  }

  readLink(): Buffer {
    throw Object.assign(new Error('EINVAL'), { code: 'EINVAL', syscall: 'readlink' });
  }

  xattrs(): [] {
    return [];
  }

  close(): void {}

  /** The inode tells contents apart, as a file does that was written anew. */
  private row(path: string): Buffer {
    const content = this.tree.get(path);
    const row = Buffer.alloc(ROW_LENGTH);
    const size = content === undefined ? 0 : bytesOf(content).length;
    const inode = content === undefined ? 1n : BigInt(content.split(' ')[1] as string) + 2n;
    const stat = {
      mode: content === undefined ? 0o755n : 0o644n,
      uid: 0n,
      gid: 0n,
      mtimeNs: OLD * NS,
      ctimeNs: OLD * NS,
      size: BigInt(size),
      ino: inode,
      nlink: 1n,
      rdev: 0n,
      dev: 1n,
    } as unknown as BigIntStats;
    writeRow(viewOf(row), 0, stat, content === undefined ? TYPE.directory : TYPE.file);
    return row;
  }
}
