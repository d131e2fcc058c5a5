/** Files that import each other in a circle cannot be read, tested or loaded one without the other. Types count like any import. */
import { type FileFacts, resolve } from './imports.ts';

/** Each circle once, as the way round it; empty when the files can be read in some order. */
export function circles(files: readonly FileFacts[]): string[] {
  const imports = new Map(files.map((file) => [file.path, fileTargets(file)]));
  const told = new Set<string>();
  const found: string[] = [];
  for (const path of imports.keys()) {
    if (told.has(path)) continue;
    const way = wayBack(path, imports);
    if (way === null) continue;
    for (const each of way) told.add(each);
    found.push([...way, path].join(' -> '));
  }
  return found;
}

function fileTargets(file: FileFacts): string[] {
  const targets = file.specifiers.map((specifier) => resolve(file.path, specifier));
  return targets.flatMap((target) => (target.kind === 'file' ? [target.path] : []));
}

/** The shortest way from a file to itself. */
function wayBack(start: string, imports: ReadonlyMap<string, readonly string[]>): readonly string[] | null {
  const ways = new Map<string, readonly string[]>([[start, [start]]]);
  for (const [path, way] of ways) {
    for (const next of imports.get(path) ?? []) {
      if (next === start) return way;
      if (!ways.has(next)) ways.set(next, [...way, next]);
    }
  }
  return null;
}
