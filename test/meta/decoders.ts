/** Finds what takes apart bytes or text that others may have made, by its name, and what of it the registry lacks. */
import type { SourceFile } from './source-files.ts';
import { descendants, isNode, type Node, parse } from './syntax.ts';

/** What a function does that reads: `decode`, `decodeEntry`, `parseSet`, `readPackTable`, `loadKnownIds`, `splitFrame`, `openKit`. */
const READS = /^(decode|parse|read|load|split|unpack)([A-Z]|$)/;
/** What a class is that reads: `PackStream`, `CborReader`. */
const READER = /(Stream|Reader|Parser)$/;

function exported(node: Node): Node[] {
  if (node.type !== 'ExportNamedDeclaration' || !isNode(node['declaration'])) return [];
  const { declaration } = node as unknown as { declaration: Node };
  return declaration.type === 'VariableDeclaration' ? (declaration['declarations'] as Node[]) : [declaration];
}

function isDecoder(declared: Node): boolean {
  const name = nameOf(declared);
  if (declared.type === 'ClassDeclaration') return READER.test(name);
  const init = declared['init'];
  const isFunction =
    declared.type === 'FunctionDeclaration' || (isNode(init) && init.type === 'ArrowFunctionExpression');
  return isFunction && READS.test(name);
}

const nameOf = (declared: Node): string => (declared['id'] as { name?: string } | null)?.name ?? '';

/** Each as the registry names it: `archive/format/pack.ts decodeTable`. */
export function decodersIn({ path, text }: SourceFile): string[] {
  const place = path.replace(/^packages\/([^/]+)\/src\//, '$1/');
  const declared = [...descendants(parse(path, text))].flatMap(exported);
  return declared.filter(isDecoder).map((node) => `${place} ${nameOf(node)}`);
}

/** One sentence for each that is in neither list, or in the list of exceptions without being there. */
export function missingDecoders(
  found: readonly string[],
  registered: ReadonlySet<string>,
  excepted: Readonly<Record<string, string>>,
): string[] {
  return [
    ...found
      .filter((name) => !registered.has(name) && !Object.hasOwn(excepted, name))
      .map((name) => `${name} is not in test/hostile/decoders.ts: add it, or say in NOT_HOSTILE why not`),
    ...Object.keys(excepted)
      .filter((name) => !found.includes(name) || registered.has(name))
      .map((name) => `${name} is an exception that nothing needs`),
  ];
}
