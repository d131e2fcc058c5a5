import { Argument, Command, CommanderError, Option } from 'commander';
import { AgentError } from '../errors.ts';
import { VERSION } from '../version.ts';
import type { CommandSpec, Input } from './command.ts';
import { EXIT, EXIT_MEANINGS, type ExitName } from './exit-codes.ts';
import { BACKUP_SPECS } from './specs/backup.ts';
import { DEVICE_SPECS } from './specs/device.ts';
import { RESTORE_SPECS } from './specs/restore.ts';

/** Turns the specs into commander's commands; what a person typed comes back as one chosen spec and its input. */

export const SPECS: readonly CommandSpec[] = [...DEVICE_SPECS, ...BACKUP_SPECS, ...RESTORE_SPECS];

export type Chosen = { readonly spec: CommandSpec; readonly path: readonly string[]; readonly input: Input };

export type ParseOutcome =
  | { readonly kind: 'run'; readonly chosen: Chosen }
  /** Help or the version was asked for, or what a person typed was not understood; everything is said already. */
  | { readonly kind: 'said'; readonly exit: typeof EXIT.ok | typeof EXIT.usage }
  /** What a program typed was not understood; nothing is said yet. */
  | { readonly kind: 'misunderstood'; readonly error: AgentError };

type Write = { readonly out: (text: string) => void; readonly err: (text: string) => void };

export async function parseLine(argv: readonly string[], write: Write): Promise<ParseOutcome> {
  const json = asksForJson(argv);
  let chosen: Chosen | undefined;
  const program = buildProgram(
    argv,
    (found) => {
      chosen = found;
    },
    json ? { ...write, err: () => {} } : write,
  );
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: 'said', exit: EXIT.ok };
    return json ? { kind: 'misunderstood', error: usageError(error, argv) } : { kind: 'said', exit: EXIT.usage };
  }
  if (chosen === undefined) throw new Error('no command was chosen and nothing was said');
  return { kind: 'run', chosen };
}

/** A line that is not understood has no options yet, and its error is printed all the same as it asks. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
}

/** Commander's sentence, except where it has none that stands alone. */
function usageError({ code, message }: CommanderError, [first]: readonly string[]): AgentError {
  const isEarly = first === '--json';
  const noCommand = isEarly ? 'A command comes first, then --json' : 'A command is missing';
  const what = isEarly || code === 'commander.help' ? noCommand : message.replace(/^error: /, '');
  return new AgentError('usage', { what: what.replace(/\.?\s*$/, '').replace(/\s*\n\s*/g, ' ') });
}

function buildProgram(argv: readonly string[], choose: (chosen: Chosen) => void, write: Write): Command {
  const program = new Command('holdfast')
    .description('Backs up this device, continuously and encrypted, and gets files back.')
    .version(VERSION, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .addHelpText(
      'after',
      `\n${exitCodeText()}\n\nEvery command takes --json. State is kept in HOLDFAST_HOME or the user's state folder.`,
    );
  prepare(program, write);
  for (const spec of neededSpecs(argv)) program.addCommand(buildCommand(spec, [], choose, write));
  return program;
}

/** A command that is named first shows nothing of the others. */
function neededSpecs([first]: readonly string[]): readonly CommandSpec[] {
  const named = SPECS.filter(({ name }) => name === first);
  return named.length > 0 ? named : SPECS;
}

function prepare(command: Command, write: Write): void {
  command
    .exitOverride()
    .configureOutput({
      writeOut: write.out,
      writeErr: write.err,
      outputError: (text, to) => to(text.replace(/^error:/, 'holdfast:')),
    })
    .showHelpAfterError('Run it with --help to see what it takes.');
}

function buildCommand(
  spec: CommandSpec,
  parents: readonly string[],
  choose: (chosen: Chosen) => void,
  write: Write,
): Command {
  const path = [...parents, spec.name];
  const command = new Command(spec.name)
    .summary(spec.summary)
    .description(describe(spec))
    .helpOption('-h, --help', 'show help');
  prepare(command, write);
  for (const { name, about } of spec.arguments ?? []) command.addArgument(new Argument(name, about));
  for (const { flags, about, choices } of spec.options ?? []) command.addOption(buildOption(flags, about, choices));
  if (spec.load) {
    command.option('--json', 'print JSON for programs');
    command.action((...received: unknown[]) => choose({ spec, path, input: inputOf(received, command) }));
  }
  // `holdfast sets` alone does what its first command does: it shows
  for (const [index, sub] of (spec.commands ?? []).entries()) {
    command.addCommand(buildCommand(sub, path, choose, write), { isDefault: index === 0 });
  }
  if (spec.commands) command.helpCommand(false);
  return command.addHelpText('after', examplesText(spec));
}

function buildOption(flags: string, about: string, choices?: readonly string[]): Option {
  const option = new Option(flags.replace('...', ''), about);
  if (choices) option.choices([...choices]);
  if (flags.includes('...'))
    option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  return option;
}

/** Commander passes the arguments one by one, a variadic one as a list, then options and the command. */
function inputOf(received: readonly unknown[], command: Command): Input {
  const typed = received.slice(0, command.registeredArguments.length);
  return {
    arguments: typed.flat().filter((word): word is string => typeof word === 'string'),
    options: command.opts(),
  };
}

const describe = ({ summary, details }: CommandSpec): string => {
  const sentence = `${summary[0]?.toUpperCase()}${summary.slice(1)}.`;
  return details === undefined ? sentence : `${sentence}\n\n${details}`;
};

function examplesText({ examples = [] }: CommandSpec): string {
  if (examples.length === 0) return '';
  const width = Math.max(...examples.map(({ line }) => line.length));
  return `\nExamples:\n${examples.map(({ line, about }) => `  ${line.padEnd(width)}  ${about}`).join('\n')}`;
}

export function exitCodeText(): string {
  const rows = (Object.keys(EXIT) as ExitName[]).map(
    (name) => `  ${String(EXIT[name]).padStart(3)}  ${EXIT_MEANINGS[name]}`,
  );
  return `Exit codes:\n${rows.join('\n')}`;
}
