import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type Repository, violations } from './boundaries.ts';
import { factsOf } from './imports.ts';
import { readFiles } from './source-files.ts';

interface Manifest {
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

function names(path: string, ...fields: (keyof Manifest)[]): string[] {
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  return fields.flatMap((field) => Object.keys(manifest[field] ?? {}));
}

function readRepository(): Repository {
  const manifests = readFiles('packages/*/package.json').map(({ path }) => path);
  return {
    dependencies: Object.fromEntries(manifests.map((path) => [path.split('/')[1], names(path, 'dependencies')])),
    devDependencies: names('package.json', 'devDependencies'),
  };
}

/** An imagined repository in which every package lists everything it might import. */
const EXAMPLE: Repository = {
  dependencies: {
    archive: ['age-encryption', 'koffi', 'fzstd', 'cborg', 'left-pad'],
    protocol: ['zod', 'fastify'],
    release: ['tuf-js', '@holdfast/archive'],
    server: ['fastify', 'age-encryption', '@holdfast/archive', '@holdfast/protocol', '@holdfast/agent'],
    agent: ['commander', '@holdfast/archive', '@holdfast/protocol', '@holdfast/server'],
    web: ['react', '@holdfast/archive', '@holdfast/protocol'],
  },
  devDependencies: ['fast-check'],
};

function judge(files: Record<string, string>): string[] {
  const facts = Object.entries(files).map(([path, text]) => factsOf(`packages/${path}`, text));
  return violations(facts, EXAMPLE);
}

const RIGHT: Record<string, Record<string, string>> = {
  'the archive uses Node': { 'archive/src/store/disk.ts': `import { open } from 'node:fs/promises'` },
  'the synchronous binding uses node:crypto': { 'archive/src/crypto-node/aead.ts': `import 'node:crypto'` },
  'format uses a codec and a pure neighbour': {
    'archive/src/format/pack.ts': `import 'fzstd'; import '../errors.ts'`,
    'archive/src/errors.ts': 'export const CODES = {}',
  },
  'the server follows structure': {
    'server/src/storage/ingest.ts': `import { readTable } from '@holdfast/archive/format/table.ts'; import 'fastify'`,
  },
  'the keyring opens age files': { 'server/src/authority/keyring/open.ts': `import 'age-encryption'` },
  'config reads the environment': { 'agent/src/config.ts': 'export const home = process.env.HOME' },
  'one file calls native code': { 'archive/src/restore/native.ts': `import koffi from 'koffi'` },
  'a start file joins both roles': {
    'server/src/main.ts': `import './authority/start.ts'; import './storage/start.ts'`,
    'server/src/authority/start.ts': '',
    'server/src/storage/start.ts': '',
  },
  'a test takes the real counterpart': {
    'agent/src/remote/store.test.ts': `import '@holdfast/server/storage/start.ts'; import 'fast-check'; import 'node:test'`,
    'server/src/storage/ingest.test.ts': `import '@holdfast/archive/crypto-node/aead.ts'`,
    'archive/src/format/pack.test.ts': `import '../store/blob-store.contract.ts'; process.env.X`,
    'archive/src/store/blob-store.contract.ts': `import 'node:test'; import 'fast-check'`,
  },
};

/** What is refused, a part of the sentence that says so, and the files that break the rule. */
const WRONG: readonly (readonly [string, string, Record<string, string>])[] = [
  [
    'archive imports a sibling',
    'no siblings',
    { 'archive/src/store/disk.ts': `import '@holdfast/protocol/routes.ts'` },
  ],
  [
    'archive imports only a type of a sibling',
    'no siblings',
    {
      'archive/src/store/disk.ts': `import type { Route } from '@holdfast/protocol/routes.ts'`,
    },
  ],
  [
    'archive names a sibling in a type',
    'no siblings',
    {
      'archive/src/store/disk.ts': `export type R = import('@holdfast/protocol/routes.ts').Route`,
    },
  ],
  [
    'archive re-exports a sibling',
    'no siblings',
    { 'archive/src/store/disk.ts': `export * from '@holdfast/protocol/routes.ts'` },
  ],
  ['archive speaks HTTP', 'no network', { 'archive/src/store/far.ts': `import 'node:http'` }],
  ['archive speaks HTTP without the prefix', 'no network', { 'archive/src/store/far.ts': `import 'https'` }],
  ['archive speaks SQL', 'no network', { 'archive/src/store/far.ts': `await import('node:sqlite')` }],
  ['archive resolves names by DNS', 'no network', { 'archive/src/store/far.ts': `import 'node:dns/promises'` }],
  ['archive takes a library that is no codec', 'no siblings', { 'archive/src/chunk/cut.ts': `import 'left-pad'` }],
  [
    'archive reads the environment',
    'archive takes everything as values',
    { 'archive/src/config.ts': 'process.env.HOME' },
  ],
  ['format uses Node', 'codec and age only', { 'archive/src/format/pack.ts': `import { Buffer } from 'node:buffer'` }],
  [
    'format reaches Node through a neighbour',
    'errors.ts -> packages/archive/src/deep.ts -> node:util: it runs in a browser',
    {
      'archive/src/format/pack.ts': `import '../errors.ts'`,
      'archive/src/errors.ts': `import './deep.ts'`,
      'archive/src/deep.ts': `import 'node:util'`,
    },
  ],
  ['format opens bytes itself', 'can open an archive', { 'archive/src/format/pack.ts': `import '../crypto/aead.ts'` }],
  [
    'two files call native code',
    'koffi belongs in one file',
    {
      'archive/src/restore/native.ts': `import 'koffi'`,
      'archive/src/walk/native.ts': `import 'koffi'`,
    },
  ],
  ['protocol uses Node', 'runs anywhere', { 'protocol/src/client.ts': `import 'node:stream'` }],
  ['protocol uses another library', 'schema library only', { 'protocol/src/client.ts': `import 'fastify'` }],
  ['the launcher uses a library', 'Node built-ins only', { 'release/src/launcher/main.ts': `import 'tuf-js'` }],
  [
    'the launcher uses the rest of release',
    '-> packages/release/src/verify.ts: the launcher must start',
    { 'release/src/launcher/main.ts': `import '../verify.ts'` },
  ],
  [
    'release uses more than chunk',
    'archive/chunk',
    { 'release/src/delta.ts': `import '@holdfast/archive/store/disk.ts'` },
  ],
  [
    'server opens archives',
    'never opens an archive',
    { 'server/src/storage/read.ts': `import '@holdfast/archive/crypto/aead.ts'` },
  ],
  [
    'server opens archives in a worker',
    'imported by name',
    {
      'server/src/storage/read.ts': `new Worker(new URL('../../../archive/src/crypto-node/aead.ts', import.meta.url))`,
    },
  ],
  [
    'server reaches a key through the store',
    'store/disk.ts -> packages/archive/src/crypto-node/aead.ts: nothing a server',
    {
      'server/src/storage/read.ts': `import '@holdfast/archive/store/disk.ts'`,
      'archive/src/store/disk.ts': `import type { Key } from '../crypto-node/aead.ts'`,
    },
  ],
  ['server knows the agent', 'never opens an archive', { 'server/src/main.ts': `import '@holdfast/agent/main.ts'` }],
  [
    'server opens age files elsewhere',
    'only authority/keyring opens age',
    { 'server/src/authority/users/kit.ts': `import 'age-encryption'` },
  ],
  ['storage knows authority', 'two machines', { 'server/src/storage/read.ts': `import '../authority/users/store.ts'` }],
  [
    'authority knows storage through a third file',
    'ports.ts -> packages/server/src/storage/start.ts: authority and storage',
    {
      'server/src/authority/start.ts': `import '../ports.ts'`,
      'server/src/ports.ts': `import './storage/start.ts'`,
    },
  ],
  ['agent knows the server', 'neither server nor web', { 'agent/src/main.ts': `import '@holdfast/server/main.ts'` }],
  [
    'agent reads the environment',
    'only files named config.ts',
    { 'agent/src/main.ts': 'const home = process.env.HOME' },
  ],
  [
    'agent reads the environment by another name',
    'only files named config.ts',
    { 'agent/src/main.ts': `import { env } from 'node:process'` },
  ],
  [
    'agent takes the environment apart',
    'only files named config.ts',
    { 'agent/src/main.ts': 'const { env } = process' },
  ],
  ['web uses Node', 'runs in a browser', { 'web/src/page.tsx': `import 'node:path'; export const a = <p>{1}</p>` }],
  [
    'web reaches Node through restore',
    'plan.ts -> node:fs: it runs in a browser',
    {
      'web/src/page.tsx': `import '@holdfast/archive/restore/plan.ts'`,
      'archive/src/restore/plan.ts': `import 'node:fs'`,
    },
  ],
  ['a sibling by path', 'imported by name', { 'agent/src/main.ts': `import '../../archive/src/store/disk.ts'` }],
  [
    'a file outside packages',
    'packages import only packages',
    { 'agent/src/main.ts': `import '../../../scripts/check.ts'` },
  ],
  ['a library that package.json does not list', 'does not list it', { 'agent/src/main.ts': `import 'fast-check'` }],
  ['a name only known at run time', 'cannot be read', { 'agent/src/main.ts': 'await import(process.argv[2])' }],
  ['code imports a test', 'only tests import', { 'agent/src/main.ts': `import './main.test.ts'` }],
  [
    'code imports a contract suite',
    'only tests import',
    { 'archive/src/store/disk.ts': `import './blob-store.contract.ts'` },
  ],
  ['an archive test knows the server', 'no siblings', { 'archive/src/a.test.ts': `import '@holdfast/server/main.ts'` }],
  ['a package without a rule', 'no zone', { 'extra/src/a.ts': '' }],
];

describe('boundaries', () => {
  it('hold in packages/', () => {
    const files = readFiles('packages/*/{src,bin}/**/*.{ts,tsx,mts,mjs,js}');
    assert.ok(files.length > 0);
    const facts = files.map(({ path, text }) => factsOf(path, text));
    assert.deepEqual(violations(facts, readRepository()), []);
  });

  for (const [what, files] of Object.entries(RIGHT)) {
    it(`allow: ${what}`, () => assert.deepEqual(judge(files), []));
  }

  for (const [what, says, files] of WRONG) {
    it(`refuse: ${what}`, () => assert.ok(judge(files).join('\n').includes(says), judge(files).join('\n')));
  }
});
