import { printableJson, printableLines } from '@holdfast/protocol/printable.ts';
import type { Command } from 'commander';
import { loadConfig, type ServerConfig, type ServerFlags } from '../config.ts';

/** Options that several commands share. */

export type DataOptions = { readonly data?: string; readonly kit?: string; readonly database?: string };

export const withData = (command: Command): Command =>
  command
    .option('--data <dir>', 'data folder (default: ./holdfast-data, or $HOLDFAST_DATA)')
    .option('--database <url>', 'postgres:// URL (default: SQLite in the data folder, or $HOLDFAST_DATABASE)');

export const withKit = (command: Command): Command =>
  command.option('--kit <file>', 'recovery kit (default: recovery-kit.age in the data folder, or $HOLDFAST_KIT)');

/** Each is run by a test, or the whole story of `main.test.ts` is its test. */
export const withExample = (command: Command, line: string): Command =>
  command.addHelpText('after', `\nExample:\n  holdfast-server ${line}`);

export const withJson = (command: Command): Command => command.option('--json', 'print one JSON object');

export const configOf = (flags: ServerFlags): ServerConfig => loadConfig(flags);

/** A result for a program or for a person. A name that could hold the end of a line is made printable before it is put into `text`. */
export function print(json: boolean | undefined, result: Record<string, unknown>, text: string): void {
  process.stdout.write(`${json === true ? printableJson(JSON.stringify(result)) : printableLines(text)}\n`);
}
