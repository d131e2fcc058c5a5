// What stands in a folder, read past the code under test, and what a tree literal should have become there: two records of the same shape.

import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { extents, splitDevice, xattrs } from '../../system/native.ts';
import { attributesOf, type DirectoryNode, type Node } from './archive-builder.ts';

export type Scanned = {
  readonly type: string;
  readonly mode: number;
  readonly owner: string;
  readonly mtime: bigint;
  readonly content?: string;
  readonly target?: string;
  readonly device?: string;
  readonly xattrs?: string;
  /** The paths of the same file, the first one for all. */
  readonly sameAs?: string;
  readonly holes?: boolean;
};

/** By path, one character per byte. */
export type Manifest = { readonly [path: string]: Scanned };

export function scan(folder: string, withOwner = process.geteuid?.() === 0): Manifest {
  const found: Record<string, Scanned> = {};
  const inodes = new Map<bigint, string>();
  const visit = (path: Buffer, shown: string): void => {
    for (const name of readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const at = Buffer.concat([path, Buffer.from('/'), name]);
      const key = shown === '' ? name.toString('latin1') : `${shown}/${name.toString('latin1')}`;
      found[key] = look(at, key, inodes, withOwner);
      if (found[key].type === 'directory') visit(at, key);
    }
  };
  visit(Buffer.from(folder), '');
  return found;
}

function look(path: Buffer, key: string, inodes: Map<bigint, string>, withOwner: boolean): Scanned {
  const stat = lstatSync(path, { bigint: true });
  const type = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'other';
  const kind =
    type !== 'other'
      ? type
      : stat.isFIFO()
        ? 'fifo'
        : stat.isSocket()
          ? 'socket'
          : stat.isBlockDevice()
            ? 'block'
            : 'char';
  if (type !== 'directory' && stat.nlink > 1n && !inodes.has(stat.ino)) inodes.set(stat.ino, key);
  const attributes = xattrs(path);
  const common = {
    type: kind,
    mode: Number(stat.mode) & 0o7777,
    owner: withOwner ? `${stat.uid}:${stat.gid}` : '',
    mtime: stat.mtimeNs,
    ...(attributes === 'unsupported' || attributes.length === 0 ? {} : { xattrs: shownXattrs(attributes) }),
    ...(inodes.has(stat.ino) ? { sameAs: inodes.get(stat.ino) as string } : {}),
  };
  if (kind === 'file')
    return { ...common, content: readFileSync(path).toString('latin1'), ...holesIn(path, Number(stat.size)) };
  if (kind === 'symlink') return { ...common, target: readlinkSync(path, { encoding: 'buffer' }).toString('latin1') };
  return kind === 'char' || kind === 'block' ? { ...common, device: splitDevice(stat.rdev).join() } : common;
}

function holesIn(path: Buffer, size: number): { holes?: boolean } {
  const fd = openSync(path, 'r');
  const found = extents(fd, size);
  closeSync(fd);
  const data = found === 'unsupported' ? size : found.reduce((sum, [, length]) => sum + length, 0);
  return data < size ? { holes: true } : {};
}

const shownXattrs = (list: readonly (readonly [Uint8Array, Uint8Array])[]): string =>
  list.map(([name, value]) => `${Buffer.from(name).toString('latin1')}=${Buffer.from(value).toString('hex')}`).join();

/** `holes` only where a hole of at least 64 KiB was asked for: file systems keep none that are smaller than a block. */
export function expected(root: DirectoryNode, withOwner = process.geteuid?.() === 0): Manifest {
  const nodes = [...below(root, '')];
  const names = Map.groupBy(nodes, ([, { group }]) => group);
  return Object.fromEntries(
    nodes.map(([key, node]) => {
      const same = node.group === undefined ? [] : (names.get(node.group) ?? []);
      return [key, scannedOf(node, same.length > 1 ? same[0]?.[0] : undefined, withOwner)];
    }),
  );
}

function* below(node: DirectoryNode, shown: string): Generator<[string, Node]> {
  for (const name of Object.keys(node.children).sort(bytewise)) {
    const child = node.children[name] as Node;
    const key = shown === '' ? name : `${shown}/${name}`;
    yield [key, child];
    if (child.type === 'directory') yield* below(child, key);
  }
}

const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));

function scannedOf(node: Node, sameAs: string | undefined, withOwner: boolean): Scanned {
  const { mode, uid, gid, mtime, xattrs: attributes } = attributesOf(node);
  const common = {
    type: node.type,
    mode,
    owner: withOwner ? `${uid}:${gid}` : '',
    mtime: BigInt(mtime.sec) * 1_000_000_000n + BigInt(mtime.nsec),
    ...(attributes === undefined ? {} : { xattrs: shownXattrs(attributes) }),
    ...(sameAs === undefined ? {} : { sameAs }),
  };
  switch (node.type) {
    case 'file': {
      const data = node.extents?.reduce((sum, [, length]) => sum + length, 0) ?? node.content.length;
      const holes = node.content.length - data >= 65_536 ? { holes: true } : {};
      return { ...common, content: Buffer.from(node.content).toString('latin1'), ...holes };
    }
    case 'symlink':
      return { ...common, target: Buffer.from(node.target).toString('latin1') };
    case 'char':
    case 'block':
      return { ...common, device: node.device.join() };
    default:
      return common;
  }
}
