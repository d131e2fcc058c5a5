import { globSync, readFileSync } from 'node:fs';

/** A file of the repository: path from the root with forward slashes, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Reads the files that match, without what was installed or built. */
export function readFiles(...patterns: readonly string[]): SourceFile[] {
  return globSync(patterns)
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !/(^|\/)(node_modules|dist|testdata)\//.test(path))
    .sort()
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

export const isTest = (path: string): boolean => /\.test\.tsx?$/.test(path);

/** Contract suites: `blob-store.contract.ts`, `blob-store-contract.ts`, `contract.ts`, or what lies in `testing/`. */
export const isSuite = (path: string): boolean => /(^|[./-])contract\.ts$|\/testing\//.test(path);
