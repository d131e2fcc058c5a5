import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { AgentError } from '../../errors.ts';
import { requireArchivePassword } from '../../keys/archive-password.ts';
import { exportedTo } from '../../keys/exported-file.ts';
import { type Renewal, renewIdentity } from '../../keys/renew-identity.ts';
import type { CommandModule, Input } from '../command.ts';
import type { Context } from '../context.ts';
import { accountPassword, archivePassword } from '../secrets.ts';
import { openServer, type ServerAccess } from '../server-access.ts';

/** New keys for what is stored from now on, at the key level that the archive has. */
export const renew: CommandModule['run'] = async (context, input) => {
  const { out, clock, random, signal } = context;
  const access = await openServer(context);
  try {
    const level = access.context.user.keyLevel;
    const file = newFile(context, input, level);
    const renewal = await renewalAt(level, file, access, context, input);
    await renewIdentity({
      ...access,
      renewal,
      password: await accountPassword(context, input),
      fillRandom: (target) => target.set(random(target.length)),
      now: clock.now,
      signal,
    });
    out.result({ level, renewed: true, file }, () => {
      out.line('The keys are renewed. What was stored before stays readable to whoever kept old keys.');
      out.line(
        file === null
          ? 'A key that was exported before opens only that: `holdfast key export FILE --copy-only` writes the new one.'
          : `${file} is the only way into your archive beside your devices. The file before it opens only what was stored before.`,
      );
    });
    return undefined;
  } finally {
    access.connection.close();
  }
};

type Level = ServerAccess['context']['user']['keyLevel'];

function newFile({ cwd }: Context, input: Input, level: Level): string | null {
  const typed = input.arguments[0];
  if (level !== 'custom-key') {
    if (typed !== undefined)
      throw new AgentError('usage', {
        what: `At key level ${level} no file is written; \`holdfast key export\` does it`,
      });
    return null;
  }
  if (typed === undefined)
    throw new AgentError('usage', { what: 'At key level custom-key the new key needs a file: name a new one' });
  const path = resolve(cwd, typed);
  if (existsSync(path)) throw new AgentError('export_exists', { what: typed });
  return path;
}

async function renewalAt(
  level: Level,
  file: string | null,
  access: ServerAccess,
  context: Context,
  input: Input,
): Promise<Renewal> {
  if (level === 'account') return { level };
  if (level === 'custom-key') return exportedTo(file ?? '');
  const passphrase = await archivePassword(context, input);
  await requireArchivePassword({ ...access, passphrase, signal: context.signal });
  return { level, passphrase };
}
