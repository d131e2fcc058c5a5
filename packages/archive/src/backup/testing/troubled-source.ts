// A file system on which something happens to a file at the moment it is read.

import { appendFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createSource as createNodeSource } from '../../source/node-source.ts';
import type { FileSource, OpenFile, SourceOptions } from '../../source/source.ts';

export type Trouble = {
  readonly small?: {
    /** End of the path of the file that it happens to. */
    readonly path: string;
    /** Before it is opened. */
    readonly before?: 'remove' | 'truncate' | 'enlarge' | 'deny';
    /** After its first bytes were read. */
    readonly after?: 'append';
  };
  /** End of the path of a directory that cannot be listed. */
  readonly unreadable?: string;
};

export function createSource(options: SourceOptions): FileSource {
  const source = createNodeSource(options);
  const trouble = (options.data ?? {}) as Trouble;
  const { small, unreadable } = trouble;
  const scan = source.scan.bind(source);
  source.scan = (directory) => {
    if (unreadable && directory.toString().endsWith(`/${unreadable}`)) throw denied();
    return scan(directory);
  };
  const open = source.open.bind(source);
  source.open = (path) => {
    if (small === undefined || !path.toString().endsWith(`/${small.path}`)) return open(path);
    if (small.before === 'deny') throw denied();
    if (small.before === 'remove') rmSync(path);
    if (small.before === 'truncate') truncateSync(path, 0);
    if (small.before === 'enlarge') writeFileSync(path, Buffer.alloc(1_000_000, 'x'));
    const file = open(path);
    return small.after === 'append' ? appending(file, path) : file;
  };
  return source;
}

function appending(file: OpenFile, path: Buffer): OpenFile {
  const read = file.read.bind(file);
  let first = true;
  file.read = (...args) => {
    const count = read(...args);
    if (first) appendFileSync(path, ', and more');
    first = false;
    return count;
  };
  return file;
}

function denied(): Error {
  return Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: 'open' });
}
