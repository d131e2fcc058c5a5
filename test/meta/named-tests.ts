import { descendants, dotted, literal, parse } from './syntax.ts';

const SEPARATOR = ' › ';

/** Gives a file's text, or undefined. */
export type ReadText = (path: string) => string | undefined;

/** The names that `describe`, `it`, `test` and `suite` give in a test file. */
function testNames(path: string, text: string): Set<string> {
  const calls = [...descendants(parse(path, text))].filter((node) => node.type === 'CallExpression');
  const declares = calls.filter((call) => /^(describe|it|test|suite|t\.test)$/.test(dotted(call['callee']) ?? ''));
  return new Set(
    declares.map((call) => literal((call['arguments'] as unknown[])[0])).filter((name) => name !== undefined),
  );
}

/** Rows `[what, path › test name]` whose test does not exist. */
export function missingTests(rows: readonly string[][], read: ReadText): string[] {
  return rows.flatMap(([what, reference = '']) => {
    const [path = '', ...names] = reference.split(SEPARATOR).map((name) => name.trim());
    const text = read(path);
    if (text === undefined) return [`${what}: no file ${path}`];
    if (names.length === 0) return [`${what}: names no test of ${path}`];
    const known = testNames(path, text);
    return names.filter((name) => !known.has(name)).map((name) => `${what}: ${path} has no test "${name}"`);
  });
}
