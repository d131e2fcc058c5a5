/**
 * Who may import what in `packages/`, as data and one pure function.
 *
 * A *zone* is a part of the tree with one rule; the first zone that holds a file decides. A *wall* says what must not
 * be reachable from a zone through any number of imports: that is how "a storage server cannot open an archive" and
 * "this runs in a browser" become properties of the import graph. `import type` counts like any import.
 *
 * Test files and contract suites may import more, see `TESTS`; nothing else may import them.
 */
import type { FileFacts, Target } from './imports.ts';
import { resolve } from './imports.ts';
import { isSuite, isTest } from './source-files.ts';

type Names = 'any' | readonly string[];

interface Zone {
  readonly files: RegExp;
  readonly why: string;
  /** Node built-ins without `node:`; a name covers its sub-paths. */
  readonly builtIns: Names | { readonly allBut: readonly string[] };
  /** Installed packages; `any` means any that its package.json lists. */
  readonly packages: Names;
  /** Paths below `packages/` outside the zone's own package. */
  readonly siblings: readonly string[];
}

interface Wall {
  readonly from: RegExp;
  readonly why: string;
  readonly forbidden: (target: Target) => boolean;
}

export interface Repository {
  /** What each package's package.json lists as dependencies, by folder below `packages/`. */
  readonly dependencies: Readonly<Record<string, readonly string[]>>;
  readonly devDependencies: readonly string[];
}

const CODECS = ['cborg', 'fzstd'];
const NETWORK_AND_SQL = ['http', 'https', 'http2', 'net', 'tls', 'dgram', 'dns', 'sqlite'];

export const ZONES: readonly Zone[] = [
  {
    files: /^packages\/archive\/src\/(format|crypto)\//,
    why: 'archive/format and archive/crypto also run in a browser: codec and age only',
    builtIns: [],
    packages: [...CODECS, 'age-encryption'],
    siblings: [],
  },
  {
    files: /^packages\/archive\//,
    why: 'the archive engine has no network, no SQL and no siblings',
    builtIns: { allBut: NETWORK_AND_SQL },
    packages: [...CODECS, 'age-encryption', 'koffi'],
    siblings: [],
  },
  {
    files: /^packages\/protocol\//,
    why: 'the protocol runs anywhere: the schema library only',
    builtIns: [],
    packages: ['zod'],
    siblings: [],
  },
  {
    files: /^packages\/release\/src\/launcher[./]/,
    why: 'the launcher must start when everything else is broken: Node built-ins only',
    builtIns: 'any',
    packages: [],
    siblings: [],
  },
  {
    files: /^packages\/release\//,
    why: 'releases work when the rest is broken: TUF, zip, built-ins and archive/chunk',
    builtIns: 'any',
    packages: ['tuf-js', '@tufjs/models', '@tufjs/canonical-json', 'yauzl', 'yazl'],
    siblings: ['archive/src/chunk/'],
  },
  {
    files: /^packages\/server\//,
    why: 'the server follows structure and never opens an archive',
    builtIns: 'any',
    packages: 'any',
    siblings: [
      'protocol/',
      'release/',
      'archive/src/format/',
      'archive/src/store/',
      'archive/src/retention/',
      'archive/src/errors.ts',
    ],
  },
  {
    files: /^packages\/agent\//,
    why: 'the agent speaks the protocol; it knows neither server nor web',
    builtIns: 'any',
    packages: 'any',
    siblings: ['archive/', 'protocol/', 'release/'],
  },
  {
    files: /^packages\/web\//,
    why: 'the web runs in a browser',
    builtIns: [],
    packages: 'any',
    siblings: [
      'protocol/',
      'archive/src/format/',
      'archive/src/crypto/',
      'archive/src/restore/',
      'archive/src/errors.ts',
    ],
  },
];

/**
 * What test files may import beyond their zone: every Node built-in, the root's devDependencies, and of the siblings
 * what a real counterpart is made of. Contract suites get the built-ins and devDependencies only.
 */
const TESTS: Readonly<Record<string, readonly string[]>> = {
  server: ['archive/'],
  agent: ['server/'],
  web: ['archive/'],
};

const CRYPTO = /^packages\/archive\/src\/crypto(-node)?[./]/;
/** What pages load of the archive, beside format and crypto: keys, and the part of restore that reads without writing. */
const BROWSER =
  /^packages\/((protocol|web)\/src\/|archive\/src\/((format|crypto|keys)\/|restore\/(archive-reader|chunk-reader|directory|find|lookup|path|plan|segments|selection|session-reader|walk)\.ts$))/;
const AUTHORITY = /^packages\/server\/src\/authority[./]/;
const STORAGE = /^packages\/server\/src\/storage[./]/;
const LAUNCHER = /^packages\/release\/src\/launcher[./]/;
const KEYRING = /^packages\/server\/src\/authority\/keyring[./]/;

const isFile = (target: Target, pattern: RegExp): boolean => target.kind === 'file' && pattern.test(target.path);

export const WALLS: readonly Wall[] = [
  {
    from: BROWSER,
    why: 'it runs in a browser, which has no Node',
    forbidden: (target) => target.kind === 'built-in' || (target.kind === 'package' && target.name === 'koffi'),
  },
  {
    from: /^packages\/(server\/src|archive\/src\/(format|store|retention))\//,
    why: 'nothing a server is made of can open an archive',
    forbidden: (target) => isFile(target, CRYPTO),
  },
  {
    from: AUTHORITY,
    why: 'authority and storage can run on two machines',
    forbidden: (target) => isFile(target, STORAGE),
  },
  {
    from: STORAGE,
    why: 'authority and storage can run on two machines',
    forbidden: (target) => isFile(target, AUTHORITY),
  },
  {
    from: LAUNCHER,
    why: 'the launcher must start when everything else is broken',
    forbidden: (target) => target.kind === 'package' || (target.kind === 'file' && !LAUNCHER.test(target.path)),
  },
];

const isLoose = (path: string): boolean => isTest(path) || isSuite(path);
const folderOf = (path: string): string => path.split('/')[1] ?? '';
const show = (target: Target): string => (target.kind === 'built-in' ? `node:${target.name}` : targetName(target));
const targetName = (target: Target): string => (target.kind === 'file' ? target.path : target.name);

function allowsBuiltIn(zone: Zone, name: string): boolean {
  const covers = (allowed: string): boolean => name === allowed || name.startsWith(`${allowed}/`);
  if (zone.builtIns === 'any') return true;
  return 'allBut' in zone.builtIns ? !zone.builtIns.allBut.some(covers) : zone.builtIns.some(covers);
}

/** Why `file` may not import `target`, as far as its zone decides; undefined when it may. */
function zoneRefusal(file: FileFacts, zone: Zone, specifier: string, repository: Repository): string | undefined {
  const target = resolve(file.path, specifier);
  const folder = folderOf(file.path);
  const loose = isLoose(file.path);
  switch (target.kind) {
    case 'built-in':
      return loose || allowsBuiltIn(zone, target.name) ? undefined : zone.why;
    case 'package':
      if (loose && repository.devDependencies.includes(target.name)) return undefined;
      if (zone.packages !== 'any' && !zone.packages.includes(target.name)) return zone.why;
      return repository.dependencies[folder]?.includes(target.name) ? undefined : 'its package.json does not list it';
    case 'file': {
      const path = target.path.replace(/^packages\//, '');
      if (path === target.path) return 'packages import only packages';
      if (!isLoose(file.path) && isLoose(target.path)) return 'only tests import tests and contract suites';
      if (path.startsWith(`${folder}/`)) return undefined;
      if (specifier.startsWith('.')) return `siblings are imported by name, as @holdfast/${path.replace('/src/', '/')}`;
      const siblings = isTest(file.path) ? [...zone.siblings, ...(TESTS[folder] ?? [])] : zone.siblings;
      if (!siblings.some((sibling) => path === sibling || path.startsWith(sibling))) return zone.why;
      if (isTest(file.path) && !zone.siblings.some((sibling) => path.startsWith(sibling))) return undefined;
      const name = `@holdfast/${folderOf(target.path)}`;
      return repository.dependencies[folder]?.includes(name) ? undefined : 'its package.json does not list it';
    }
    default:
      return target satisfies never;
  }
}

function zoneViolations(file: FileFacts, repository: Repository): string[] {
  const zone = ZONES.find(({ files }) => files.test(file.path));
  if (!zone) return [`${file.path}: no zone of test/meta/boundaries.ts holds it`];
  return file.specifiers.flatMap((specifier) => {
    const refusal = zoneRefusal(file, zone, specifier, repository);
    return refusal === undefined ? [] : [`${file.path} imports ${specifier}: ${refusal}`];
  });
}

/** A caller may name its own `FileSource` module; the default is a literal import. */
const LOADS_WHAT_ITS_CALLER_NAMES: ReadonlySet<string> = new Set(['packages/archive/src/backup/worker.ts']);

/** Rules about one file alone. */
function fileViolations(file: FileFacts): string[] {
  if (isLoose(file.path)) return [];
  const found: string[] = [];
  const targets = file.specifiers.map((specifier) => resolve(file.path, specifier));
  const opensAge = targets.some((target) => target.kind === 'package' && target.name === 'age-encryption');
  if (file.computed && !LOADS_WHAT_ITS_CALLER_NAMES.has(file.path))
    found.push(`${file.path}: loads a module whose name cannot be read from the source`);
  if (file.readsEnvironment && !/\/config\.ts$/.test(file.path)) {
    found.push(`${file.path} reads process.env: only files named config.ts do`);
  }
  if (file.readsEnvironment && /^packages\/(archive|protocol|web)\//.test(file.path)) {
    found.push(`${file.path} reads process.env: ${folderOf(file.path)} takes everything as values`);
  }
  if (opensAge && folderOf(file.path) === 'server' && !KEYRING.test(file.path)) {
    found.push(`${file.path} imports age-encryption: on the server only authority/keyring opens age files`);
  }
  return found;
}

function nativeCallViolations(files: readonly FileFacts[]): string[] {
  const users = files.filter((file) => file.specifiers.some((specifier) => /^koffi(\/|$)/.test(specifier)));
  return users.length <= 1
    ? []
    : [`koffi belongs in one file, but is imported by ${users.map((f) => f.path).join(', ')}`];
}

/** Walks outwards from every file of the wall at once, so that each forbidden import is told with its shortest way. */
function wallViolations(wall: Wall, files: readonly FileFacts[]): string[] {
  const byPath = new Map(files.filter((file) => !isLoose(file.path)).map((file) => [file.path, file]));
  const starts = [...byPath.keys()].filter((path) => wall.from.test(path));
  const ways = new Map(starts.map((path) => [path, path]));
  const found: string[] = [];
  for (const [path, way] of ways) {
    for (const specifier of byPath.get(path)?.specifiers ?? []) {
      const target = resolve(path, specifier);
      if (wall.forbidden(target)) found.push(`${way} -> ${show(target)}: ${wall.why}`);
      else if (target.kind === 'file' && !ways.has(target.path)) ways.set(target.path, `${way} -> ${target.path}`);
    }
  }
  return found;
}

/** Every broken rule, one sentence each; empty when the architecture holds. */
export function violations(files: readonly FileFacts[], repository: Repository): string[] {
  return [
    ...files.flatMap((file) => [...zoneViolations(file, repository), ...fileViolations(file)]),
    ...WALLS.flatMap((wall) => wallViolations(wall, files)),
    ...nativeCallViolations(files.filter((file) => !isLoose(file.path))),
  ];
}
