import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { descendants, dotted, isNode, literal, type Node, parse } from './syntax.ts';

/** What one file asks of the world around it. */
export interface FileFacts {
  readonly path: string;
  /** Specifiers as written; `import type`, `import()`, workers and `import.meta.resolve` included. */
  readonly specifiers: readonly string[];
  /** Loads something whose name is only known when it runs. */
  readonly computed: boolean;
  readonly readsEnvironment: boolean;
}

/** Where a specifier leads: a file of the repository, a Node built-in (`fs/promises`), or an installed package. */
export type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'built-in'; readonly name: string }
  | { readonly kind: 'package'; readonly name: string };

const LOADERS = new Set([
  'require',
  'module.require',
  'import.meta.resolve',
  'process.getBuiltinModule',
  'require.resolve',
]);

/** The nodes that name what `node` loads. */
function loaded(node: Node): readonly unknown[] {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return [node['source']];
    case 'ExportNamedDeclaration':
      return node['source'] ? [node['source']] : [];
    case 'TSExternalModuleReference':
      return [node['expression']];
    case 'CallExpression':
      return LOADERS.has(dotted(node['callee']) ?? '') ? [(node['arguments'] as unknown[])[0]] : [];
    case 'NewExpression':
      return loadedByNew(node);
    default:
      return [];
  }
}

/** `new URL(x, import.meta.url)` loads x; `new Worker(x)` loads x unless x is a URL or `{ eval: true }` source. */
function loadedByNew(node: Node): readonly unknown[] {
  const [first, second] = node['arguments'] as unknown[];
  const name = dotted(node['callee']) ?? '';
  if (name === 'URL' && dotted(second) === 'import.meta.url') return [first];
  if (/(^|\.)(Shared)?Worker$/.test(name) && literal(first) !== undefined) return [first];
  return [];
}

const PROCESS_MODULES = new Set(['process', 'node:process']);

function importsEnv(node: Node): boolean {
  if (node.type !== 'ImportDeclaration' || !PROCESS_MODULES.has(literal(node['source']) ?? '')) return false;
  return (node['specifiers'] as Node[]).some((specifier) => dotted(specifier['imported']) === 'env');
}

function destructuresEnv(node: Node): boolean {
  if (node.type !== 'VariableDeclarator' || !isNode(node['id']) || node['id'].type !== 'ObjectPattern') return false;
  if (!/(^|\.)process$/.test(dotted(node['init']) ?? '')) return false;
  return (node['id']['properties'] as Node[]).some((property) => dotted(property['key']) === 'env');
}

function readsEnv(node: Node): boolean {
  return /(^|\.)process\.env$/.test(dotted(node) ?? '') || importsEnv(node) || destructuresEnv(node);
}

export function factsOf(path: string, text: string): FileFacts {
  const nodes = [...descendants(parse(path, text))];
  const names = nodes.flatMap(loaded).map(literal);
  return {
    path,
    specifiers: [...new Set(names.filter((name) => name !== undefined))],
    computed: names.includes(undefined),
    readsEnvironment: nodes.some(readsEnv),
  };
}

/** `@scope/name/rest` -> `@scope/name`, `name/rest` -> `name`. */
function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

export function resolve(from: string, specifier: string): Target {
  if (/^\.{0,2}\//.test(specifier)) {
    return { kind: 'file', path: posix.join(posix.dirname(from), specifier.replace(/[?#].*$/, '')) };
  }
  const sibling = /^@holdfast\/([^/]+)\/?(.*)$/.exec(specifier);
  if (sibling) return { kind: 'file', path: `packages/${sibling[1]}/src/${sibling[2]}` };
  const name = specifier.replace(/^node:/, '');
  if (name !== specifier || builtinModules.includes(name)) return { kind: 'built-in', name };
  return { kind: 'package', name: packageName(specifier) };
}
