import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { ServerError } from '../errors.ts';

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

/** A password for somebody, as `askWords` takes words; its first line counts. On a terminal it is not shown, and asked twice. */
export async function askPassword(passwordFile: string | undefined): Promise<string> {
  if (passwordFile !== undefined) return firstLine(await readFile(passwordFile, 'utf8'));
  if (!process.stdin.isTTY) return firstLine(await text(process.stdin));
  const password = await askUnseen('New password: ');
  if ((await askUnseen('Again: ')) !== password)
    throw new ServerError('config_invalid', { message: 'The two passwords differ' });
  return password;
}

const firstLine = (content: string): string => content.replace(/\r?\n[\s\S]*$/, '');

async function askUnseen(question: string): Promise<string> {
  process.stderr.write(question);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: unseen, terminal: true });
  terminal.once('SIGINT', () => process.exit(130));
  try {
    return await terminal.question('');
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
