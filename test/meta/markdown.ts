/** The rows of every table in a Markdown text, cells trimmed and freed of backticks, without head and rule. */
export function tableRows(markdown: string): string[][] {
  const rows: string[][] = [];
  let inBody = false;
  for (const line of markdown.split('\n')) {
    if (!line.trimStart().startsWith('|')) inBody = false;
    else if (/^\s*\|[\s:|-]+\|\s*$/.test(line)) inBody = true;
    else if (inBody) rows.push(cells(line));
  }
  return rows;
}

function cells(line: string): string[] {
  return line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.replaceAll('\\|', '|').trim())
    .map((cell) => cell.replace(/^`(.*)`$/, '$1'));
}

/** The text below each `## heading`, by heading. */
export function sections(markdown: string): Map<string, string> {
  const parts = markdown.split(/^## +(.+)$/m).slice(1);
  const found = new Map<string, string>();
  for (let index = 0; index < parts.length; index += 2) found.set(parts[index]!.trim(), parts[index + 1] ?? '');
  return found;
}
