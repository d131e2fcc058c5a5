import type { Context } from './context.ts';
import type { ExitCode } from './exit-codes.ts';

/**
 * The command line as data. A *spec* says what a command is called, takes and shows under --help; its *module* does the
 * work and is loaded only when the command runs, so that `holdfast --help` starts as fast as Node does.
 */
export type CommandSpec = {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What a person should know before running it. */
  readonly details?: string;
  /** In commander's notation: `<string>`, `[path...]`. */
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** Each is run by a test, in the order they stand in. */
  readonly examples?: readonly Example[];
  readonly load?: () => Promise<CommandModule>;
  readonly commands?: readonly CommandSpec[];
};

export type ArgumentSpec = { readonly name: string; readonly about: string };

export type OptionSpec = {
  /** `--set <name>`; with `...` in it the option may be repeated and collects a list. */
  readonly flags: string;
  readonly about: string;
  readonly choices?: readonly string[];
};

export type Example = { readonly line: string; readonly about: string };

export type Input = {
  readonly arguments: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
};

/** Resolves to the exit code, `ok` when it says nothing; rejects with an error that `exitCodeOf` knows. */
export type CommandModule = { readonly run: (context: Context, input: Input) => Promise<ExitCode | undefined> };

// Readers of options: commander has checked the flags, these give them types.

export function textOption({ options }: Input, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export const isSet = ({ options }: Input, name: string): boolean => options[name] === true;

export function listOption({ options }: Input, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? (value as string[]) : [];
}
