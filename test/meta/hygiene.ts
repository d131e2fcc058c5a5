/** Rules about one file: its name, its size, and that nothing in it is unfinished or switched off. */
import { basename } from 'node:path';
import { isSuite, isTest, type SourceFile } from './source-files.ts';
import { descendants, dotted, isNode, literal, type Node, parse } from './syntax.ts';

const MAX_LINES = 400;
const MAX_TEST_LINES = 600;
/** Names that say nothing, so that everything ends up there. */
const DUMPING_GROUNDS = new Set(['utils', 'util', 'helpers', 'helper', 'common', 'misc', 'manager', 'service']);
const UNFINISHED = /\b(TODO|FIXME|XXX|HACK)\b/;
const DECLARES_TEST = /^(test|it|describe|suite)$/;

function nameProblems(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  const stem = basename(path).replace(/\..*$/, '');
  const empty = [...parts, stem].find((part) => DUMPING_GROUNDS.has(part.toLowerCase()));
  return empty === undefined ? [] : [`${path}: "${empty}" does not say what is inside`];
}

function sizeProblems({ path, text }: SourceFile): string[] {
  const limit = isTest(path) || isSuite(path) ? MAX_TEST_LINES : MAX_LINES;
  const lines = text.replace(/\n$/, '').split('\n').length;
  return lines <= limit ? [] : [`${path}: ${lines} lines, at most ${limit}`];
}

function unfinishedProblems({ path, text }: SourceFile): string[] {
  if (!/^packages\/[^/]+\/src\//.test(path)) return [];
  return text.split('\n').flatMap((line, index) => {
    const mark = UNFINISHED.exec(line)?.[1];
    return mark === undefined ? [] : [`${path}:${index + 1}: ${mark}`];
  });
}

/** `{ skip: true }` among the options of a test; `{ skip: 'reason' }` and a condition with a reason are fine. */
function isBareOption(property: Node): boolean {
  const name = dotted(property['key']) ?? '';
  const value = property['value'];
  if (!['only', 'skip', 'todo'].includes(name) || !isNode(value)) return false;
  return name === 'only' || (value.type === 'Literal' && value['value'] === true);
}

function callProblem(call: Node): string | undefined {
  const callee = dotted(call['callee']) ?? '';
  const [first, ...rest] = callee.split('.');
  const method = rest.at(-1) ?? '';
  const args = call['arguments'] as Node[];
  if (DECLARES_TEST.test(first ?? '')) {
    if (['only', 'skip', 'todo'].includes(method)) return `${callee}(): say { skip: 'the reason' }, or finish it`;
    const options = args.find((arg) => arg.type === 'ObjectExpression');
    const properties = (options?.['properties'] ?? []) as Node[];
    return properties.some(isBareOption) ? `${callee}(): a switched-off test needs a reason in words` : undefined;
  }
  const isContextCall = /^(t|context|ctx)$/.test(first ?? '') && ['skip', 'todo'].includes(method);
  return isContextCall && (args.length === 0 || literal(args[0]) === '') ? `${callee}() without a reason` : undefined;
}

function switchedOffProblems({ path, text }: SourceFile): string[] {
  if (!isTest(path) && !isSuite(path)) return [];
  return [...descendants(parse(path, text))]
    .filter((node) => node.type === 'CallExpression')
    .map(callProblem)
    .filter((problem) => problem !== undefined)
    .map((problem) => `${path}: ${problem}`);
}

export function hygieneProblems(file: SourceFile): string[] {
  return [...nameProblems(file.path), ...sizeProblems(file), ...unfinishedProblems(file), ...switchedOffProblems(file)];
}
