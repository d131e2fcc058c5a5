// Listing a folder of blobs in the order of names.
//
// A folder's entries do not come in the order of the names below it: `a-b` stands before `a/b`, since '-' is less than '/'.
// So folders are sorted as if their name ended in '/'.

import { join } from 'node:path';
import type { BlobInfo, ListOptions } from './blob-store.ts';
import { isAbsent } from './disk-errors.ts';
import type { DiskEntry, DiskFs } from './disk-fs.ts';
import { isBlobName } from './names.ts';

/** How many files are looked at side by side. */
const BATCH = 64;

export async function* listDirectory(
  fs: Pick<DiskFs, 'readdir' | 'stat'>,
  root: string,
  prefix: string,
  { after = '', signal }: ListOptions,
): AsyncGenerator<BlobInfo> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  yield* walk(folder);

  async function* walk(at: string): AsyncGenerator<BlobInfo> {
    signal?.throwIfAborted();
    const entries = (await entriesOf(fs, join(root, at))).map((entry) => sortable(at, entry));
    const wanted = entries.filter((entry) => entry !== null && isWanted(entry, prefix, after)) as Sortable[];
    wanted.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (let i = 0; i < wanted.length; ) {
      const run = runOfFiles(wanted, i);
      if (run.length > 0) yield* await infos(fs, root, run);
      else yield* walk((wanted[i] as Sortable).key);
      i += Math.max(run.length, 1);
      signal?.throwIfAborted();
    }
  }
}

/** `key` is the name, with '/' behind a folder's. */
type Sortable = { readonly key: string; readonly isFile: boolean };

/** What is neither file nor folder, or has a name that no blob has, is not the store's. */
function sortable(at: string, { name, kind }: DiskEntry): Sortable | null {
  const path = `${at}${name}`;
  if (kind === 'other' || !isBlobName(path)) return null;
  return { key: kind === 'directory' ? `${path}/` : path, isFile: kind === 'file' };
}

function isWanted({ key, isFile }: Sortable, prefix: string, after: string): boolean {
  if (isFile) return key.startsWith(prefix) && key > after;
  return (key.startsWith(prefix) || prefix.startsWith(key)) && (key > after || after.startsWith(key));
}

function runOfFiles(entries: readonly Sortable[], from: number): string[] {
  const run: string[] = [];
  for (let i = from; i < entries.length && run.length < BATCH && entries[i]?.isFile; i++)
    run.push((entries[i] as Sortable).key);
  return run;
}

async function infos(fs: Pick<DiskFs, 'stat'>, root: string, names: readonly string[]): Promise<BlobInfo[]> {
  const found = await Promise.all(names.map((name) => infoOf(fs, root, name)));
  return found.filter((info) => info !== null);
}

/** `null` for a file that went away since its folder was read. */
async function infoOf(fs: Pick<DiskFs, 'stat'>, root: string, name: string): Promise<BlobInfo | null> {
  try {
    const { kind, size, modified } = await fs.stat(join(root, name));
    return kind === 'file' ? { name, size, modified } : null;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

async function entriesOf(fs: Pick<DiskFs, 'readdir'>, path: string): Promise<readonly DiskEntry[]> {
  try {
    return await fs.readdir(path);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
