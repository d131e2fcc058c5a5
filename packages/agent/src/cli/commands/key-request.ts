import { AgentError } from '../../errors.ts';
import { requireIdentity } from '../../keys/device-keys.ts';
import { sameWords, wordRows } from '../../keys/device-words.ts';
import {
  type Asked,
  acceptKey,
  askForKey,
  endKeyRequest,
  type KeyRequestOptions,
  waitForKey,
} from '../../keys/request-key.ts';
import { fetchPolicy } from '../../remote/policy.ts';
import type { Device } from '../../state/device.ts';
import { type CommandModule, textOption } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { ask } from '../prompt.ts';
import { networkOf, openServerWithoutKey, type ServerAccess } from '../server-access.ts';
import { tellDaemon } from '../tell-daemon.ts';

/** On the device that lacks the key: asks the others, shows the words, waits. */
export const run: CommandModule['run'] = async (context, input) => {
  const { out, stdin, clock, random, signal } = context;
  const access = await openServerWithoutKey(context);
  const { home, connection } = access;
  const typed = textOption(input, 'words');
  try {
    if (await hasKey(access)) {
      out.result({ received: false, hasKey: true }, () => out.line('This device has the key to your archive already.'));
      return EXIT.ok;
    }
    const { time } = networkOf(context);
    const fillRandom = (target: Uint8Array) => target.set(random(target.length));
    const options: KeyRequestOptions = { ...access, fillRandom, time, signal };
    const asked = await askForKey(options);
    if (typed !== undefined && !sameWords(asked.words, typed)) {
      await endKeyRequest(options);
      throw new AgentError('words_differ');
    }
    show(context, asked);
    if (typed === undefined && stdin.isTTY !== true)
      throw new AgentError('words_needed', { data: { words: asked.words } });
    out.note('Waiting for it, an hour at most. Ctrl-C stops; the same command goes on.');
    const identity = await waitForKey(options, asked);
    if (typed === undefined && !(await saysSame(context))) {
      await endKeyRequest(options);
      throw new AgentError('words_differ');
    }
    await acceptKey(options, asked, identity);
    await fetchPolicy(home, connection.authority, clock.now(), signal);
    await tellDaemon(home, { do: 'reload' });
    out.result({ received: true, hasKey: true }, () => out.line('This device has the key to your archive now.'));
    return EXIT.ok;
  } finally {
    connection.close();
  }
};

/** That of the identity in force: the key level may have been raised while this device was away. */
async function hasKey({ home, device, context }: ServerAccess<Device>): Promise<boolean> {
  const { recipient, signingKey } = context.archive;
  if (device.archive?.recipient !== recipient || device.archive.signingKey !== signingKey) return false;
  try {
    await requireIdentity(home, { ...device, archive: device.archive });
    return true;
  } catch (error) {
    if (error instanceof AgentError && error.code === 'identity_missing') return false;
    throw error;
  }
}

function show({ out }: Context, { words, expires }: Asked): void {
  out.event('words', { words, expires });
  out.note('On a device of yours that has the key, run `holdfast key add-device`. It must show the same words:');
  for (const row of wordRows(words)) out.note(`    ${row}`);
}

/** Only a whole "yes" is one. */
async function saysSame(context: Context): Promise<boolean> {
  context.out.note('The key has come.');
  return (await ask(context, 'Did both devices show the same words? Type yes or no: ')).toLowerCase() === 'yes';
}
