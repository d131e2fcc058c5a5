/** What lies in folders: how much, and which small files. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes of all files below. */
export function sizeOf(folder: string): number {
  let total = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    total += entry.isDirectory() ? sizeOf(path) : lstatSync(path).size;
  }
  return total;
}

const SMALL = 128 * 1024;

/** Files of 1 to 128 KiB, in order. */
export function smallFilesOf(trees: readonly string[]): string[] {
  return trees.flatMap((tree) => [...filesBelow(tree)]).filter((path) => isSmall(lstatSync(path).size));
}

/** So many of a list, at even distances. */
export function spread<T>(list: readonly T[], wanted: number): T[] {
  const count = Math.min(wanted, list.length);
  return Array.from({ length: count }, (_, i) => list[Math.floor(((i + 0.5) * list.length) / count)] as T);
}

const isSmall = (size: number): boolean => size > 0 && size < SMALL;

function* filesBelow(folder: string): Iterable<string> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}
