import { AgentError } from '../../errors.ts';
import { sameWords, wordRows } from '../../keys/device-words.ts';
import { openKeyGiver, type Waiting } from '../../keys/give-key.ts';
import { type CommandModule, textOption } from '../command.ts';
import type { Context } from '../context.ts';
import { ask } from '../prompt.ts';
import { openServer } from '../server-access.ts';

/** On a device that holds the key: gives it to one that waits, after its user has compared the words. */
export const run: CommandModule['run'] = async (context, input) => {
  const { out, stdin, clock, signal } = context;
  const access = await openServer(context);
  try {
    const giver = await openKeyGiver({ ...access, now: clock.now, signal });
    const [wanted] = input.arguments;
    const waiting = (await giver.waiting()).filter(
      ({ request: { device } }) => wanted === undefined || device.name === wanted || device.guid === wanted,
    );
    if (waiting.length === 0)
      throw new AgentError('key_request_none', { ...(wanted !== undefined && { what: `"${wanted}" does not wait` }) });
    const typed = textOption(input, 'words');
    if (typed === undefined && stdin.isTTY !== true) {
      for (const each of waiting) show(context, each);
      throw new AgentError('words_needed', { data: { devices: waiting.map(documentOf) } });
    }
    const chosen = typed === undefined ? await chooseAloud(context, waiting) : byWords(waiting, typed);
    await giver.give(chosen);
    const { id, name } = chosen.request.device;
    out.result({ device: { id, name } }, () => out.line(`"${name}" has the key to your archive now.`));
    return undefined;
  } finally {
    access.connection.close();
  }
};

const documentOf = ({ request: { device, expires }, words }: Waiting) => ({
  id: device.id,
  guid: device.guid,
  name: device.name,
  words,
  expires,
});

/** One after the other; a person knows which device it is by its words. */
async function chooseAloud(context: Context, waiting: readonly Waiting[]): Promise<Waiting> {
  for (const each of waiting) {
    if (each.refusal !== null) {
      context.out.note(each.refusal.message);
      continue;
    }
    show(context, each);
    // Only a whole "yes" is one
    if ((await ask(context, 'Do both devices show the same words? Type yes or no: ')).toLowerCase() === 'yes')
      return each;
  }
  throw waiting.find(({ refusal }) => refusal !== null)?.refusal ?? new AgentError('words_differ');
}

function byWords(waiting: readonly Waiting[], typed: string): Waiting {
  const found = waiting.find(({ words }) => sameWords(words, typed));
  if (found === undefined) throw waiting[0]?.refusal ?? new AgentError('words_differ');
  return found;
}

function show({ out }: Context, { request: { device }, words }: Waiting): void {
  out.note(`"${device.name}" (number ${device.guid}) asks for the key to your archive. It must show these words:`);
  for (const row of wordRows(words)) out.note(`    ${row}`);
}
