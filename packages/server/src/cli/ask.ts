import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { text } from 'node:stream/consumers';

/** The words of a kit: from a file, from the terminal, or piped in. They never stand on a command line, which others see. */
export async function askWords(wordsFile: string | undefined): Promise<string> {
  if (wordsFile !== undefined) return readFile(wordsFile, 'utf8');
  if (!process.stdin.isTTY) return text(process.stdin);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await terminal.question('Words of the recovery kit: ');
  } finally {
    terminal.close();
  }
}
