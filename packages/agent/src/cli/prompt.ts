import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { AgentError } from '../errors.ts';
import type { Context } from './context.ts';

/** Questions on a terminal, and the ways a secret comes without one. Secrets are never taken from the command line. */

export async function ask(context: Pick<Context, 'stdin' | 'signal'>, question: string): Promise<string> {
  return (await readLine(context, question, process.stderr)).trim();
}

/** Nothing is shown while it is typed. */
export async function askSecret(context: Pick<Context, 'stdin' | 'signal'>, question: string): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const secret = await readLine(context, '', silent);
  process.stderr.write('\n');
  return secret;
}

async function readLine(
  { stdin, signal }: Pick<Context, 'stdin' | 'signal'>,
  question: string,
  output: NodeJS.WritableStream,
): Promise<string> {
  const lines = createInterface({ input: stdin, output, terminal: true });
  try {
    const controller = new AbortController();
    // Ctrl-C does not reach the process as a signal while the terminal is in raw mode
    lines.once('SIGINT', () => controller.abort(new AgentError('interrupted')));
    return await lines.question(question, { signal: AbortSignal.any([signal, controller.signal]) });
  } catch (error) {
    signal.throwIfAborted();
    throw (error as Error).name === 'AbortError' ? new AgentError('interrupted', { cause: error }) : error;
  } finally {
    lines.close();
  }
}

/** The first line of what is piped in. */
export async function readSecretFromStdin({ stdin }: Pick<Context, 'stdin'>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return firstLine(Buffer.concat(chunks).toString('utf8'));
}

export const readSecretFromFile = (path: string, cwd: string): string => firstLine(readTextFile(path, cwd));

export function readTextFile(path: string, cwd: string): string {
  try {
    return readFileSync(resolve(cwd, path), 'utf8');
  } catch (cause) {
    throw new AgentError('usage', { what: `${path} cannot be read: ${(cause as Error).message}`, cause });
  }
}

const firstLine = (text: string): string => text.replace(/\r?\n[\s\S]*$/, '');
