// A disk in memory that forgets what was not synced, as power cuts do.
//
// Content and names are durable separately: `sync` of a file saves its content, `syncDirectory` the names in one folder.
// `crash` makes the disk as it may be found afterwards: for each file and each name that was not synced a coin decides whether the
// cut came before or after it reached the medium, and unsynced content may be cut short. The coin is the caller's.

import { basename, dirname } from 'node:path';
import type { DiskEntry, DiskFile, DiskFs, DiskStat } from '../disk-fs.ts';

type FileNode = { readonly kind: 'file'; live: Buffer; durable: Buffer };
type FolderNode = {
  readonly kind: 'directory';
  live: Map<string, FileNode | FolderNode>;
  durable: Map<string, FileNode | FolderNode>;
};

/** A number in [0, 1). */
export type Coin = () => number;

/** Which of the two syncs a broken disk store would leave out. */
export type Omitted = 'file' | 'directory';

export class CrashFs implements DiskFs {
  /** Calls that change something, and how many of them happen before the power is cut. */
  changes = 0;
  cutAt = Number.POSITIVE_INFINITY;
  private root: FolderNode = folder();
  private readonly omitted: Omitted | undefined;

  constructor(omitted?: Omitted) {
    this.omitted = omitted;
  }

  async create(path: string): Promise<DiskFile> {
    const parent = this.parentOf(path, 'open');
    if (parent.live.has(basename(path))) throw failure('EEXIST', 'open', path);
    this.change();
    const node: FileNode = { kind: 'file', live: Buffer.alloc(0), durable: Buffer.alloc(0) };
    parent.live.set(basename(path), node);
    return this.handle(node);
  }

  async open(path: string): Promise<DiskFile> {
    const node = this.find(path, 'open');
    if (node.kind !== 'file') throw failure('EISDIR', 'open', path);
    return this.handle(node);
  }

  async rename(from: string, to: string): Promise<void> {
    const node = this.find(from, 'rename');
    const target = this.parentOf(to, 'rename');
    this.change();
    this.parentOf(from, 'rename').live.delete(basename(from));
    target.live.set(basename(to), node);
  }

  async link(from: string, to: string): Promise<void> {
    const node = this.find(from, 'link');
    const target = this.parentOf(to, 'link');
    if (target.live.has(basename(to))) throw failure('EEXIST', 'link', to);
    this.change();
    target.live.set(basename(to), node);
  }

  async unlink(path: string): Promise<void> {
    this.find(path, 'unlink');
    this.change();
    this.parentOf(path, 'unlink').live.delete(basename(path));
  }

  async mkdir(path: string): Promise<void> {
    const parent = this.parentOf(path, 'mkdir');
    if (parent.live.has(basename(path))) throw failure('EEXIST', 'mkdir', path);
    this.change();
    parent.live.set(basename(path), folder());
  }

  async stat(path: string): Promise<DiskStat> {
    const node = this.find(path, 'stat');
    return { kind: node.kind, size: node.kind === 'file' ? node.live.length : 0, modified: 0 };
  }

  async readdir(path: string): Promise<DiskEntry[]> {
    const node = this.find(path, 'scandir');
    if (node.kind !== 'directory') throw failure('ENOTDIR', 'scandir', path);
    return [...node.live].map(([name, child]) => ({ name, kind: child.kind }));
  }

  async syncDirectory(path: string): Promise<void> {
    const node = this.find(path, 'fsync');
    if (node.kind !== 'directory') throw failure('ENOTDIR', 'fsync', path);
    this.change();
    if (this.omitted !== 'directory') node.durable = new Map(node.live);
  }

  /** The disk as it is found after a power cut. */
  crash(coin: Coin): CrashFs {
    const after = new CrashFs(this.omitted);
    after.root = survivorOf(this.root, coin, new Map()) as FolderNode;
    return after;
  }

  private change(): void {
    this.changes++;
    if (this.changes >= this.cutAt) throw failure('EIO', 'cut', '');
  }

  private handle(node: FileNode): DiskFile {
    return {
      read: async (target, position) => node.live.copy(target, 0, position),
      write: async (bytes) => {
        this.change();
        node.live = Buffer.concat([node.live, bytes]);
      },
      size: async () => node.live.length,
      sync: async () => {
        this.change();
        if (this.omitted !== 'file') node.durable = node.live;
      },
      close: async () => undefined,
    };
  }

  private find(path: string, syscall: string): FileNode | FolderNode {
    let node: FileNode | FolderNode = this.root;
    for (const segment of path.split('/').filter(Boolean)) {
      if (node.kind === 'file') throw failure('ENOTDIR', syscall, path);
      const child = node.live.get(segment);
      if (child === undefined) throw failure('ENOENT', syscall, path);
      node = child;
    }
    return node;
  }

  private parentOf(path: string, syscall: string): FolderNode {
    const parent = this.find(dirname(path), syscall);
    if (parent.kind === 'file') throw failure('ENOTDIR', syscall, path);
    return parent;
  }
}

function folder(): FolderNode {
  return { kind: 'directory', live: new Map(), durable: new Map() };
}

/** `done` keeps a file with two names one file. */
function survivorOf(
  node: FileNode | FolderNode,
  coin: Coin,
  done: Map<FileNode | FolderNode, FileNode | FolderNode>,
): FileNode | FolderNode {
  const known = done.get(node);
  if (known !== undefined) return known;
  if (node.kind === 'file') {
    const content = survivingContent(node, coin);
    const file: FileNode = { kind: 'file', live: content, durable: content };
    done.set(node, file);
    return file;
  }
  const copy = folder();
  done.set(node, copy);
  for (const name of new Set([...node.live.keys(), ...node.durable.keys()])) {
    const child = (coin() < 0.5 ? node.durable : node.live).get(name);
    if (child !== undefined) copy.live.set(name, survivorOf(child, coin, done));
  }
  copy.durable = new Map(copy.live);
  return copy;
}

function survivingContent(node: FileNode, coin: Coin): Buffer {
  if (node.live === node.durable || coin() < 0.5) return node.durable;
  return node.live.subarray(0, Math.floor(coin() * (node.live.length + 1)));
}

function failure(code: string, syscall: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path });
}
