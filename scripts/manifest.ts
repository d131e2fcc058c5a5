/**
 * A manifest says exactly what a directory tree holds, so that a restored tree can be compared with the original
 * without trusting the code that restored it. Two manifests of equal trees are equal; `compareManifests` names every
 * difference. It reads with `lstat` and plain reads only.
 */
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { listXattrs } from './xattrs.ts';

/** One entry; `facts` holds what must be equal, each under the word that a report uses for it. */
export type ManifestEntry = Readonly<Record<string, string>>;
/** Path relative to the tree's root, in latin1 so that every byte of a name survives, to what was found there. */
export type Manifest = ReadonlyMap<string, ManifestEntry>;
export type Difference = { path: string; fact: string; expected: string; found: string };

export type ManifestOptions = {
  /** Compare user and group: only root can restore them. */
  owner: boolean;
  /** Left out together with all below; given the path in latin1. */
  exclude?: (path: string) => boolean;
};

/** Reads the tree below `root`; the root's own name is not part of it, its metadata is (as path ``). */
export function readManifest(root: string, options: ManifestOptions): Manifest {
  const entries = new Map<string, ManifestEntry>();
  const pending: Buffer[] = [Buffer.alloc(0)];
  const base = Buffer.from(root);
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const key = path.toString('latin1');
    if (options.exclude?.(key)) continue;
    const full = path.length === 0 ? base : Buffer.concat([base, Buffer.from('/'), path]);
    const { facts, directory } = describe(full, options);
    entries.set(key, facts);
    if (!directory) continue;
    for (const name of readdirSync(full, { encoding: 'buffer' })) {
      pending.push(path.length === 0 ? name : Buffer.concat([path, Buffer.from('/'), name]));
    }
  }
  return withLinkGroups(new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Every difference, in path order; empty when the trees are equal. */
export function compareManifests(expected: Manifest, found: Manifest): Difference[] {
  const out: Difference[] = [];
  for (const [path, want] of expected) {
    const got = found.get(path);
    if (got === undefined) {
      out.push({ path, fact: 'presence', expected: 'there', found: 'missing' });
      continue;
    }
    for (const fact of new Set([...Object.keys(want), ...Object.keys(got)])) {
      if (want[fact] !== got[fact]) out.push({ path, fact, expected: want[fact] ?? '-', found: got[fact] ?? '-' });
    }
  }
  for (const path of found.keys()) {
    if (!expected.has(path)) out.push({ path, fact: 'presence', expected: 'missing', found: 'there' });
  }
  return out;
}

function describe(full: Buffer, options: ManifestOptions): { facts: ManifestEntry; directory: boolean } {
  const stat = lstatSync(full, { bigint: true });
  const facts: Record<string, string> = {
    type: typeOf(stat.mode),
    mode: (stat.mode & 0o7777n).toString(8),
    mtime: `${stat.mtimeNs}`,
  };
  if (options.owner) facts['owner'] = `${stat.uid}:${stat.gid}`;
  if (facts['type'] === 'symlink') {
    facts['target'] = readlinkSync(full, { encoding: 'buffer' }).toString('latin1');
    delete facts['mode'];
  }
  if (facts['type'] === 'char' || facts['type'] === 'block') facts['device'] = `${stat.rdev}`;
  if (facts['type'] === 'file') {
    facts['size'] = `${stat.size}`;
    facts['content'] = hashFile(full);
  }
  if (facts['type'] !== 'directory' && stat.nlink > 1n) facts['inode'] = `${stat.dev}:${stat.ino}`;
  const xattrs = listXattrs(full);
  if (xattrs !== '') facts['xattrs'] = xattrs;
  return { facts, directory: facts['type'] === 'directory' };
}

/** Replaces inode numbers by the sorted paths that share them, so that groups compare across file systems. */
function withLinkGroups(manifest: Manifest): Manifest {
  const byInode = new Map<string, string[]>();
  for (const [path, facts] of manifest) {
    const inode = facts['inode'];
    if (inode !== undefined) byInode.set(inode, [...(byInode.get(inode) ?? []), path]);
  }
  return new Map(
    [...manifest].map(([path, { inode, ...facts }]) => {
      const members = inode === undefined ? [] : (byInode.get(inode) ?? []);
      return [path, members.length > 1 ? { ...facts, links: members.join('\n') } : facts];
    }),
  );
}

const TYPES: Readonly<Record<number, string>> = {
  0o100000: 'file',
  0o040000: 'directory',
  0o120000: 'symlink',
  0o010000: 'fifo',
  0o140000: 'socket',
  0o020000: 'char',
  0o060000: 'block',
};

function typeOf(mode: bigint): string {
  return TYPES[Number(mode & 0o170000n)] ?? 'unknown';
}

const BLOCK = Buffer.allocUnsafe(1 << 20);

function hashFile(path: Buffer): string {
  const hash = createHash('sha256');
  const fd = openSync(path, 'r');
  try {
    for (let read = readSync(fd, BLOCK); read > 0; read = readSync(fd, BLOCK)) hash.update(BLOCK.subarray(0, read));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
