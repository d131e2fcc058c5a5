import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readFiles } from './source-files.ts';

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Record<string, string>;
}

interface Lock {
  readonly packages: Record<string, LockedPackage>;
}

interface Manifest {
  readonly version: string;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly overrides?: Record<string, string>;
  readonly allowScripts?: Record<string, boolean>;
}

const nameOf = (path: string): string => path.replace(/^.*node_modules\//, '');
const readManifest = (path: string): Manifest => JSON.parse(readFileSync(path, 'utf8'));

/** What would make an installation differ from machine to machine, or run a script nobody decided about. */
function lockProblems(lock: Lock, allowScripts: Record<string, boolean>): string[] {
  const names = new Set(Object.keys(lock.packages).map(nameOf));
  return Object.entries(lock.packages).flatMap(([path, { resolved, hasInstallScript, optionalDependencies }]) => [
    ...(resolved && /^[\w+]+:|@/.test(resolved) ? [`${path}: resolved to ${resolved}`] : []),
    ...(hasInstallScript && !(nameOf(path) in allowScripts) ? [`${path}: not decided in allowScripts`] : []),
    ...Object.keys(optionalDependencies ?? {})
      .filter((name) => !names.has(name))
      .map((name) => `${path}: the lock lacks ${name}, so other platforms get a broken installation`),
  ]);
}

function inexactVersions(path: string, manifest: Manifest): string[] {
  const { dependencies, devDependencies, optionalDependencies, overrides } = manifest;
  return Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies, ...overrides })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${path}: ${name} ${version} is not an exact version`);
}

describe('packages', () => {
  const root = readManifest('package.json');
  const manifests = readFiles('package.json', 'packages/*/package.json').map(({ path }) => path);

  it('are locked for every platform, from no particular registry, with every install script decided', () => {
    const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
    assert.ok(root.allowScripts);
    assert.deepEqual(lockProblems(lock, root.allowScripts), []);
  });

  it('name exact versions', () => {
    assert.deepEqual(
      manifests.flatMap((path) => inexactVersions(path, readManifest(path))),
      [],
    );
  });

  it('share one version', () => {
    const versions = new Set(manifests.map((path) => readManifest(path).version));
    assert.deepEqual([...versions], [root.version]);
  });

  it('bring one Node for all platforms', () => {
    assert.equal(new Set(Object.values(root.optionalDependencies ?? {})).size, 1);
  });

  it('with problems are noticed', () => {
    const packages = {
      'node_modules/a': { resolved: 'https://registry.example/a.tgz' },
      'node_modules/b': { hasInstallScript: true, optionalDependencies: { 'b-win32': '1.0.0' } },
      'node_modules/@holdfast/agent': { resolved: 'packages/agent' },
    };
    assert.deepEqual(lockProblems({ packages }, {}), [
      'node_modules/a: resolved to https://registry.example/a.tgz',
      'node_modules/b: not decided in allowScripts',
      'node_modules/b: the lock lacks b-win32, so other platforms get a broken installation',
    ]);
    const manifest = { version: '1.0.0', dependencies: { a: '^1.0.0', b: '1.0.0-beta.1', c: 'latest' } };
    assert.equal(inexactVersions('package.json', manifest).length, 2);
  });
});
