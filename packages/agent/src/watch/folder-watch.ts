import { type FSWatcher, lstatSync, readdirSync, watch } from 'node:fs';

/**
 * Watches a folder with everything below it by one `fs.watch` per folder: what Linux offers.
 *
 * Node's own recursive watch does the same but keeps every *file* in one flat list and reads all of it for each entry that
 * vanishes: 62 s of CPU for deleting 5,100 of 200,000 (docs/adr/0004). Here a vanished folder costs what was below it, a
 * vanished file nothing; names are bytes, and excluded folders are never entered.
 *
 * ```
 * add(folder):  watch it first, then list it (must: else what appears in between is never seen), then its folders
 * event(name):  the folder changed; if a name came, went or moved: forget the folder of that name, add what is there now
 * ```
 * Paths and names are kept as latin1 text, in which every byte is one character.
 */
export type FolderWatchOptions = {
  /** A folder whose entries changed; it may be gone by now. */
  readonly changed: (folder: string) => void;
  /** Nothing more will be reported for what is below `folder`: the watch must be given up. */
  readonly failed: (error: NodeJS.ErrnoException, folder: string) => void;
  readonly excluded: (folder: Buffer) => boolean;
};

export type FolderWatch = {
  /** Folders that are watched, and those that could not be because this user may not read them. */
  readonly counts: { watched: number; closed: number };
  close(): void;
};

type Node = {
  readonly name: string;
  readonly parent: Node | null;
  readonly watcher: FSWatcher;
  children: Map<string, Node> | null;
};

/** The system gives no more watches. */
export const LIMIT_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EMFILE', 'ENFILE', 'ENOMEM']);

const GONE_CODES: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);
const CLOSED_CODES: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'ENAMETOOLONG']);

export const toBytes = (path: string): Buffer => Buffer.from(path, 'latin1');
export const toLatin1 = (path: Uint8Array): string => Buffer.from(path).toString('latin1');

const join = (folder: string, name: string): string => (folder === '/' ? `/${name}` : `${folder}/${name}`);

/** A root that is a file, or is not there yet, is watched for in its folder. A link is not followed: see thread.ts. */
export function watchFolder(root: string, options: FolderWatchOptions): FolderWatch {
  const counts = { watched: 0, closed: 0 };
  let over = false;
  let top: Node | null = null;

  const pathOf = (node: Node): string => (node.parent === null ? root : join(pathOf(node.parent), node.name));

  function open(path: string, parent: Node | null, name: string): Node | null {
    let node: Node;
    try {
      const watcher = watch(toBytes(path), { encoding: 'buffer', persistent: false }, (type, entry) => {
        if (!over) onEvent(node, type, entry);
      });
      node = { name, parent, watcher, children: null };
    } catch (error) {
      return skipped(error as NodeJS.ErrnoException, path);
    }
    node.watcher.on('error', (error: NodeJS.ErrnoException) => giveUp(error, path));
    counts.watched++;
    return node;
  }

  function skipped(error: NodeJS.ErrnoException, path: string): null {
    if (CLOSED_CODES.has(error.code ?? '')) counts.closed++;
    else if (!GONE_CODES.has(error.code ?? '')) giveUp(error, path);
    return null;
  }

  function giveUp(error: NodeJS.ErrnoException, path: string): void {
    if (over) return;
    over = true;
    options.failed(error, path);
  }

  /** Everything from `path` down, without recursion: trees may be deep. */
  function add(path: string, parent: Node | null, name: string, report: boolean): Node | null {
    const begun = open(path, parent, name);
    const waiting = begun === null ? [] : [{ node: begun, path }];
    for (let next = waiting.pop(); next !== undefined && !over; next = waiting.pop()) {
      if (report) options.changed(next.path);
      for (const child of foldersIn(next.path)) {
        const below = join(next.path, child);
        const node = options.excluded(toBytes(below)) ? null : open(below, next.node, child);
        if (node === null) continue;
        next.node.children ??= new Map();
        next.node.children.set(child, node);
        waiting.push({ node, path: below });
      }
    }
    return begun;
  }

  function foldersIn(path: string): string[] {
    try {
      const entries = readdirSync(toBytes(path), { withFileTypes: true, encoding: 'buffer' });
      return entries.filter((entry) => entry.isDirectory()).map((entry) => toLatin1(entry.name));
    } catch (error) {
      skipped(error as NodeJS.ErrnoException, path);
      return [];
    }
  }

  function forget(node: Node): void {
    const waiting = [node];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      next.watcher.close();
      counts.watched--;
      if (next.children !== null) waiting.push(...next.children.values());
    }
  }

  function onEvent(node: Node, type: string, entry: Buffer | null): void {
    const folder = pathOf(node);
    options.changed(folder);
    if (type !== 'rename' || entry === null) return;
    const name = toLatin1(entry);
    const known = node.children?.get(name);
    if (known !== undefined) {
      forget(known);
      node.children?.delete(name);
    }
    const path = join(folder, name);
    if (!isFolder(path) || options.excluded(toBytes(path))) return;
    const added = add(path, node, name, true);
    if (added === null) return;
    node.children ??= new Map();
    node.children.set(name, added);
  }

  const parent = watchName(root, giveUp, () => {
    if (over) return;
    options.changed(root);
    if (top !== null) forget(top);
    top = add(root, null, '', true);
  });
  top = isFolder(root) ? add(root, null, '', false) : null;

  return {
    counts,
    close() {
      over = true;
      parent?.close();
      if (top !== null) forget(top);
      top = null;
    },
  };
}

function isFolder(path: string): boolean {
  try {
    return lstatSync(toBytes(path), { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return false; // not to be looked at: the walk reports it
  }
}

/** Calls back when the entry itself comes, goes or, being a file, changes; without its folder it could never be seen to come. */
function watchName(path: string, failed: FolderWatchOptions['failed'], changed: () => void): FSWatcher | null {
  const cut = path.lastIndexOf('/');
  const name = path.slice(cut + 1);
  if (name === '') return null;
  const folder = cut === 0 ? '/' : path.slice(0, cut);
  try {
    const watcher = watch(toBytes(folder), { encoding: 'buffer', persistent: false }, (type, entry) => {
      if (entry === null || toLatin1(entry) !== name) return;
      if (type === 'rename' || !isFolder(path)) changed();
    });
    watcher.on('error', (error: NodeJS.ErrnoException) => failed(error, folder));
    return watcher;
  } catch (error) {
    if (!CLOSED_CODES.has((error as NodeJS.ErrnoException).code ?? '')) failed(error as NodeJS.ErrnoException, folder);
    return null;
  }
}
