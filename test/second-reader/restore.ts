/** A snapshot written to a directory of its own: content, mode, mtime, symbolic and hard links, holes. */
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { type Archive, filePieces } from './reader.ts';
import type { Snapshot } from './snapshot.ts';
import type { FileEntry, TreeEntry } from './tree-entry.ts';
import { type Row, type WalkOptions, walk } from './walk.ts';

export interface RestoreReport {
  /** Devices, FIFOs and sockets, which Node cannot make; gone entries whose name is taken. */
  readonly notMade: readonly Row[];
}

interface Progress {
  readonly archive: Archive;
  readonly target: Buffer;
  /** By hard-link group: where its first member lies. */
  readonly groups: Map<number, { readonly place: Buffer; readonly entry: TreeEntry }>;
  /** Directories whose mode and mtime wait until all in them is written. */
  readonly directories: [place: Buffer, entry: TreeEntry][];
  /** Gone directories that were left out because something live has their name. */
  readonly leftOut: string[];
}

const BILLION = 1e9;
const OWNER_ONLY = 0o700;
const secondsOf = ({ mtime }: TreeEntry): number => mtime.sec + mtime.nsec / BILLION;

function setAttributes(place: Buffer, entry: TreeEntry): void {
  const seconds = secondsOf(entry);
  if (entry.type !== 'symlink') chmodSync(place, entry.mode);
  lutimesSync(place, seconds, seconds);
}

function writeWhole(file: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}

function writeFile(archive: Archive, place: Buffer, entry: FileEntry): void {
  const file = openSync(place, 'wx', OWNER_ONLY);
  try {
    for (const { at, bytes } of filePieces(archive, entry)) writeWhole(file, bytes, at);
    ftruncateSync(file, entry.size);
  } finally {
    closeSync(file);
  }
}

/** False where Node has no call for it. */
function make(archive: Archive, place: Buffer, entry: TreeEntry): boolean {
  switch (entry.type) {
    case 'file':
      writeFile(archive, place, entry);
      return true;
    case 'directory':
      mkdirSync(place, { mode: OWNER_ONLY });
      return true;
    case 'symlink':
      symlinkSync(entry.target, place);
      return true;
    default:
      return false;
  }
}

const sameContent = (one: TreeEntry, other: TreeEntry): boolean =>
  one.type === other.type &&
  (one.type !== 'file' || JSON.stringify(one.content) === JSON.stringify((other as FileEntry).content));

/** Links to the first member of the entry's group, where that is possible. */
function linkToGroup(groups: Progress['groups'], place: Buffer, { entry, gone }: Row): boolean {
  if (entry.group === undefined || gone || (entry.type !== 'file' && entry.type !== 'symlink')) return false;
  const first = groups.getOrInsert(entry.group, { place, entry });
  if (first.place === place || !sameContent(first.entry, entry)) return false;
  linkSync(first.place, place);
  return true;
}

/** Whether something live has the name of this deleted entry, or of a deleted directory above it. */
function isTaken({ leftOut }: Progress, place: Buffer, { entry, gone }: Row): boolean {
  if (!gone) return false;
  const path = place.toString('latin1');
  if (leftOut.some((above) => path.startsWith(`${above}/`))) return true;
  const taken = lstatSync(place, { throwIfNoEntry: false }) !== undefined;
  if (taken && entry.type === 'directory') leftOut.push(path);
  return taken;
}

function restoreRow(progress: Progress, row: Row): boolean {
  const { archive, groups, directories } = progress;
  const place = Buffer.concat([progress.target, row.path]);
  if (isTaken(progress, place, row)) return false;
  if (linkToGroup(groups, place, row)) return true;
  if (!make(archive, place, row.entry)) return false;
  if (row.entry.type === 'directory') directories.push([place, row.entry]);
  else setAttributes(place, row.entry);
  return true;
}

/** `target` is made and must not exist; with `gone`, deleted entries come back where their names are free. */
export function restoreSnapshot(
  archive: Archive,
  { envelope }: Snapshot,
  target: string,
  options: WalkOptions = {},
): RestoreReport {
  mkdirSync(target);
  const progress: Progress = {
    archive,
    target: Buffer.from(`${target}/`),
    groups: new Map(),
    directories: [],
    leftOut: [],
  };
  const notMade = [...walk(archive.chunks, envelope.root, options)].filter((row) => !restoreRow(progress, row));
  for (const [place, entry] of progress.directories.reverse()) setAttributes(place, entry);
  return { notMade };
}
