/** The codes of each package's src/errors.ts against docs/errors.md: compare them, or complete the document. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { sections, tableRows } from './markdown.ts';
import { readFiles } from './source-files.ts';

/** By package: code -> what it means and what to do. */
export type Codes = ReadonlyMap<string, ReadonlyMap<string, string>>;

export const DOCUMENT_PATH = 'docs/errors.md';

export const readDocument = (): string => (existsSync(DOCUMENT_PATH) ? readFileSync(DOCUMENT_PATH, 'utf8') : '');

/** Packages without a src/errors.ts have no entry. */
export async function readCodes(): Promise<Codes> {
  const found = new Map<string, ReadonlyMap<string, string>>();
  for (const { path } of readFiles('packages/*/src/errors.ts')) {
    const { CODES } = (await import(pathToFileURL(resolve(path)).href)) as { CODES?: Record<string, string> };
    if (!CODES) throw new Error(`${path} exports no CODES`);
    found.set(path.split('/')[1]!, new Map(Object.entries(CODES)));
  }
  return found;
}

const documentedRows = (section: string): string[] => tableRows(section).map(([code]) => code ?? '');

/** One sentence per code that only one side knows. */
export function differences(inCode: Codes, document: string): string[] {
  const documents = sections(document);
  const packages = new Set([...inCode.keys(), ...documents.keys()]);
  return [...packages].flatMap((name) => {
    const codes = [...(inCode.get(name)?.keys() ?? [])];
    const documented = documentedRows(documents.get(name) ?? '');
    return [
      ...codes.filter((code) => !documented.includes(code)).map((code) => `${name}: ${code} is not in the document`),
      ...documented.filter((code) => !codes.includes(code)).map((code) => `${name}: ${code} is only in the document`),
      ...documented.filter((code, at) => documented.indexOf(code) !== at).map((code) => `${name}: ${code} twice`),
    ];
  });
}

function completedSection(name: string, codes: ReadonlyMap<string, string>, section: string): string {
  const explained = new Map(tableRows(section).map(([code = '', text = '']) => [code, text]));
  const prose = section.split('\n').filter((line) => !line.startsWith('|'));
  const rows = [...codes].map(([code, advice]) => {
    const text = explained.get(code) ?? advice;
    return `| \`${code}\` | ${text.replaceAll('|', '\\|')} |`;
  });
  const table = ['| code | meaning and what to do |', '|---|---|', ...rows].join('\n');
  return [`## ${name}`, prose.join('\n').trim(), table].filter((part) => part !== '').join('\n\n');
}

/** The document with a row for every code: explanations already written stay, new codes bring their advice. */
export function completed(document: string, inCode: Codes): string {
  const documents = sections(document);
  const opening = document.split(/^## /m)[0]!.trim();
  const packages = [...inCode].sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = packages.map(([name, codes]) => completedSection(name, codes, documents.get(name) ?? ''));
  return `${[opening, ...parts].join('\n\n')}\n`;
}
