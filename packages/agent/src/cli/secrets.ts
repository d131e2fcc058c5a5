import type { NewPassword } from '../enrolment/enrol.ts';
import { AgentError } from '../errors.ts';
import { type Input, isSet, textOption } from './command.ts';
import type { Context } from './context.ts';
import { askSecret, readSecretFromFile, readSecretFromStdin } from './prompt.ts';

/** Passwords come from standard input, a file or the terminal; never from the command line, which others can read. */

export async function accountPassword(context: Context, input: Input): Promise<string> {
  const file = textOption(input, 'passwordFile');
  if (file !== undefined) return readSecretFromFile(file, context.cwd);
  if (isSet(input, 'passwordStdin')) return readSecretFromStdin(context);
  if (!context.stdin.isTTY) throw new AgentError('password_needed');
  return askSecret(context, 'Password of your account: ');
}

/** One of the user's own for the account. */
export function newAccountPassword(context: Context, input: Input): NewPassword {
  const file = textOption(input, 'newPasswordFile');
  const given = file === undefined ? null : readSecretFromFile(file, context.cwd);
  return { given, ask: () => askTwice(context, 'A new password of your own: ', 'new_password_needed') };
}

export async function archivePassword(context: Context, input: Input): Promise<string> {
  const file = textOption(input, 'archivePasswordFile');
  if (file !== undefined) return readSecretFromFile(file, context.cwd);
  if (!context.stdin.isTTY) throw new AgentError('passphrase_needed');
  const password = await askSecret(context, 'Archive password (nothing, if you do not have it): ');
  if (password === '') throw new AgentError('passphrase_needed');
  return password;
}

/** Nobody can reset it, so a typing error would be for ever. */
const SHORTEST = 12;

export async function newArchivePassword(context: Context, input: Input): Promise<string> {
  const file = textOption(input, 'archivePasswordFile');
  const password =
    file === undefined
      ? await askTwice(context, 'New archive password: ', 'passphrase_needed')
      : readSecretFromFile(file, context.cwd);
  if ([...password].length < SHORTEST) throw new AgentError('password_weak');
  return password;
}

async function askTwice(
  context: Context,
  question: string,
  unless: 'passphrase_needed' | 'new_password_needed',
): Promise<string> {
  if (!context.stdin.isTTY) throw new AgentError(unless);
  const password = await askSecret(context, question);
  if ((await askSecret(context, 'Again: ')) === password) return password;
  throw new AgentError('usage', { what: 'The two passwords differ' });
}
