import { type ParserOptions, parseAst } from 'rolldown/parseAst';

/** A node of the syntax tree (ESTree with TypeScript), read without a type per kind. */
export interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

export function parse(path: string, text: string): Node {
  const lang = (/\.(tsx|ts|jsx|js)$/.exec(path)?.[1] ?? 'js') as NonNullable<ParserOptions['lang']>;
  return parseAst(text, { lang }, path) as unknown as Node;
}

/** Every node below and including `node`, parents first. */
export function* descendants(node: Node): Generator<Node> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) yield* descendants(child);
    }
  }
}

/** The text of a string literal or of a template without holes; otherwise undefined. */
export function literal(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'Literal') return typeof node['value'] === 'string' ? node['value'] : undefined;
  if (node.type !== 'TemplateLiteral') return undefined;
  const quasis = node['quasis'] as { readonly value: { readonly cooked: string } }[];
  return quasis.length === 1 ? quasis[0]?.value.cooked : undefined;
}

/** `a.b.c` for a chain of names, `['b']` included; undefined for anything else. */
export function dotted(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'Identifier') return node['name'] as string;
  if (node.type === 'MetaProperty') return `${dotted(node['meta'])}.${dotted(node['property'])}`;
  if (node.type !== 'MemberExpression') return undefined;
  const object = dotted(node['object']);
  const property = node['computed'] ? literal(node['property']) : dotted(node['property']);
  return object === undefined || property === undefined ? undefined : `${object}.${property}`;
}
