import { lstatSync, watch } from 'node:fs';
import type { FolderWatch, FolderWatchOptions } from './folder-watch.ts';
import { toBytes, toLatin1 } from './folder-watch.ts';

/**
 * macOS and Windows watch whole trees themselves, so one `fs.watch` a root is enough. A name that came, went or moved may be
 * a folder: all that is known then is its path, so it is reported as changed too, and the walk reads it.
 */
export function watchTree(root: string, { changed, failed, excluded }: FolderWatchOptions): FolderWatch {
  const counts = { watched: 0, closed: 0 };
  const bytes = toBytes(root);
  if (lstatSync(bytes, { throwIfNoEntry: false }) === undefined) return { counts, close: () => {} };
  const watcher = watch(bytes, { recursive: true, encoding: 'buffer', persistent: false }, (type, entry) => {
    if (entry === null) return changed(root);
    const path = `${root}/${toLatin1(entry).replaceAll('\\', '/')}`;
    const folder = path.slice(0, path.lastIndexOf('/'));
    if (excluded(toBytes(folder))) return;
    changed(folder);
    if (type === 'rename') changed(path);
  });
  watcher.on('error', (error: NodeJS.ErrnoException) => failed(error, root));
  counts.watched = 1;
  return { counts, close: () => watcher.close() };
}
