import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readFiles, type SourceFile } from './source-files.ts';

const MAX_SCRIPTS = 8;

interface Commands {
  readonly scripts: readonly string[];
  /** What `npx` finds: programs of the packages and of what is installed for development. */
  readonly programs: readonly string[];
}

/** npm's own words behind `npm` that need no script. */
const NPM = new Set(['ci', 'install', 'run', 'exec', 'pack', 'version', 'update', 'audit', 'ls']);

/** Commands named in `document` that do not exist. */
function unknownCommands({ path, text }: SourceFile, { scripts, programs }: Commands): string[] {
  const run = [...text.matchAll(/\bnpm run (?:-s |--silent )?([\w:-]+)/g)].map((match) => match[1]!);
  const short = [...text.matchAll(/(?:`|&& |^|\$ )npm (\w[\w-]*)/gm)].map((match) => match[1]!);
  const npx = [...text.matchAll(/(?:`|&& |^|\$ )npx ([\w-]+)/gm)].map((match) => match[1]!);
  return [
    ...[...run, ...short.filter((word) => !NPM.has(word))]
      .filter((name) => !scripts.includes(name))
      .map((name) => `${path}: no script "${name}" in package.json`),
    ...npx.filter((name) => !programs.includes(name)).map((name) => `${path}: no program "${name}"`),
  ];
}

/** The first commands a newcomer copies; `quickstart` as soon as the script is there. */
function missingFromReadme(readme: string, scripts: readonly string[]): string[] {
  const owed = ['npm ci && npm test', ...(scripts.includes('quickstart') ? ['npm ci && npm run quickstart'] : [])];
  return owed.filter((command) => !readme.includes(command));
}

const readManifest = (path: string): { scripts?: object; bin?: object } => JSON.parse(readFileSync(path, 'utf8'));

function readCommands(): Commands {
  const bins = readFiles('packages/*/package.json').flatMap(({ path }) => Object.keys(readManifest(path).bin ?? {}));
  return { scripts: Object.keys(readManifest('package.json').scripts ?? {}), programs: [...bins, 'node', 'tsc'] };
}

describe('documented commands', () => {
  it('exist', () => {
    const documents = readFiles('*.md', 'docs/**/*.md', 'packages/**/*.md', 'bench/**/*.md');
    assert.deepEqual(
      documents.flatMap((document) => unknownCommands(document, readCommands())),
      [],
    );
  });

  it('start the README', () => {
    assert.deepEqual(missingFromReadme(readFileSync('README.md', 'utf8'), readCommands().scripts), []);
  });

  it(`are at most ${MAX_SCRIPTS} scripts`, () => {
    const { scripts } = readCommands();
    assert.ok(scripts.length <= MAX_SCRIPTS, scripts.join(', '));
  });

  it('are noticed when they do not exist', () => {
    const text = '`npm run fly`\n\n```sh\nnpm ci && npm test\nnpm dance\n$ npx holdfast backup\nnpx other\n```\n';
    const commands = { scripts: ['test'], programs: ['holdfast'] };
    assert.deepEqual(unknownCommands({ path: 'a.md', text }, commands), [
      'a.md: no script "fly" in package.json',
      'a.md: no script "dance" in package.json',
      'a.md: no program "other"',
    ]);
  });

  it('are missed in a README that forgets them', () => {
    assert.deepEqual(missingFromReadme('npm ci && npm test', ['test']), []);
    assert.deepEqual(missingFromReadme('npm ci', ['test', 'quickstart']), [
      'npm ci && npm test',
      'npm ci && npm run quickstart',
    ]);
  });
});
