/**
 * `npm test`: the static checks, then every test in one run of Node's test runner, whose count ends the output.
 *
 * Unit tests of one part share a process (starting one per file costs more than the tests); every file of
 * test/e2e, test/torture, test/compat, test/second-reader and test/hostile gets a process of its own. All files still belong to one run, so there is
 * one count. Consequence for unit tests: hooks belong inside `describe`, and nothing global may stay changed.
 *
 * `npm test -- packages/archive` or `npm test -- test/e2e/backup.test.ts` runs only what lies there, without the
 * checks; arguments that start with `--test-` go to the runner (`--test-name-pattern=...`).
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const SHARED_PROCESS = ['packages/*/src/**/*.test.ts', 'packages/*/src/**/*.test.tsx', 'test/meta/**/*.test.ts'];
const OWN_PROCESS = [
  'test/{e2e,torture,compat,second-reader,hostile}/**/*.test.ts',
  'scripts/**/*.test.ts',
  'bench/**/*.test.ts',
];
/** Parts of packages with a process of their own, and packages: the longest begin first, so that no core idles at the end. */
const LONGEST = ['packages/server/src/storage', 'packages/agent', 'packages/archive'];
/** Where Node keeps what it compiled: the tests start the programs hundreds of times, each of them all of its TypeScript. */
const CODE_CACHE = resolve('node_modules/.cache/holdfast-code');
const UNTRACKED = resolve('scripts/promises-untracked.ts');
/** A file that takes longer hangs. */
const FILE_TIMEOUT_MS = 15 * 60_000;

const args = process.argv.slice(2);
const runnerFlags = args.filter((arg) => arg.startsWith('--'));
const wanted = args.filter((arg) => !arg.startsWith('--')).map((path) => path.replaceAll('\\', '/').replace(/\/$/, ''));

function find(patterns: readonly string[]): string[] {
  return globSync(patterns)
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.includes('node_modules/'))
    .filter((path) => wanted.length === 0 || wanted.some((want) => path === want || path.startsWith(`${want}/`)))
    .sort();
}

function node(nodeArgs: readonly string[]): number {
  const { status, error } = spawnSync(process.execPath, nodeArgs, {
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: CODE_CACHE, ...process.env },
  });
  if (error) throw error;
  return status ?? 1;
}

/** Writes one entry file per part that imports all its tests. */
function writeGroups(files: readonly string[], folder: string): string[] {
  return [...Map.groupBy(files, partOf)].map(([part, members]) => {
    // Node begins the files in the order of their names
    const rank = LONGEST.includes(part) ? LONGEST.indexOf(part) : LONGEST.length;
    const entry = join(folder, `${rank}-${part.replaceAll('/', '-')}.test.mjs`);
    writeFileSync(entry, members.map((path) => `import '${pathToFileURL(resolve(path))}';\n`).join(''));
    return entry;
  });
}

function partOf(path: string): string {
  return LONGEST.find((part) => path.startsWith(`${part}/`)) ?? path.split('/').slice(0, 2).join('/');
}

function runTests(): number {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-tests-'));
  try {
    const files = [...writeGroups(find(SHARED_PROCESS), folder), ...find(OWN_PROCESS)];
    if (files.length === 0) {
      console.error(`No test file lies in ${wanted.join(', ')}.`);
      return 1;
    }
    // One more than there are cores: some wait, for a disk or for another process
    const concurrency = 1 + Math.min(4, availableParallelism());
    return node([
      '--require',
      UNTRACKED,
      '--test',
      `--test-concurrency=${concurrency}`,
      `--test-timeout=${FILE_TIMEOUT_MS}`,
      ...runnerFlags,
      ...files,
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const checked = wanted.length > 0 ? 0 : node(['scripts/check.ts', '--no-meta']);
const tested = runTests();
process.exitCode = checked || tested;
