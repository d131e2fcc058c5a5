import { hostname } from 'node:os';
import { parseEnrolment } from '@holdfast/protocol/enrolment-string.ts';
import { enrol } from '../../enrolment/enrol.ts';
import { AgentError, codeOf } from '../../errors.ts';
import { fetchPolicy } from '../../remote/policy.ts';
import { readDevice } from '../../state/device.ts';
import { setsOf } from '../../state/settings.ts';
import { type CommandModule, isSet, textOption } from '../command.ts';
import { homeOf } from '../context.ts';
import { ask, readTextFile } from '../prompt.ts';
import { accountPassword, archivePassword, newAccountPassword } from '../secrets.ts';
import { networkOf } from '../server-access.ts';
import { tellDaemon } from '../tell-daemon.ts';

const STEPS = {
  pinned: 'The server is the one that the string names.',
  'password set': 'Your own password is set; the one for one time is void.',
  enrolled: 'This device is enrolled.',
  'archive made': 'Your archive is made; its keys are stored.',
  'archive opened': 'Your archive is opened on this device.',
} as const;

const WITHOUT_KEY =
  'This device is enrolled, and has no key to your archive yet. `holdfast key request` here and `holdfast key add-device` on a device of yours that has the key give it one; so does this command with what opens the archive.';

/** Another way to the key is open. */
const isKeyNeeded = (error: unknown): boolean =>
  ['passphrase_needed', 'passphrase_wrong', 'identity_needed'].includes(codeOf(error) ?? '');

export const run: CommandModule['run'] = async (context, input) => {
  const { out, stdin, cwd, random, signal } = context;
  const enrolment = parseEnrolment(input.arguments[0] ?? '');
  const home = homeOf(context);
  const user = textOption(input, 'user');
  const identity = textOption(input, 'identity');
  const enrolling = enrol({
    home,
    enrolment,
    deviceName: textOption(input, 'name') ?? hostname(),
    signUp: isSet(input, 'signUp'),
    username: async () => {
      if (user !== undefined) return user;
      if (stdin.isTTY) return ask(context, 'User name: ');
      throw new AgentError('usage', { what: 'Say who you are with --user' });
    },
    password: () => accountPassword(context, input),
    newPassword: newAccountPassword(context, input),
    keySource: {
      ...(identity !== undefined && { identityFile: readTextFile(identity, cwd) }),
      passphrase: () => archivePassword(context, input),
      earlier: isSet(input, 'earlierPassword'),
    },
    network: networkOf(context),
    fillRandom: (target) => target.set(random(target.length)),
    onStep: (step) => out.note(STEPS[step]),
    signal,
  });
  const enrolled = await enrolling.catch((error: unknown) => {
    if (isKeyNeeded(error) && readDevice(home) !== null) out.note(WITHOUT_KEY);
    throw error;
  });
  try {
    const settings = await fetchPolicy(home, enrolled.connection.authority, context.clock.now(), signal);
    await tellDaemon(home, { do: 'reload' });
    const { device, context: described } = enrolled;
    const sets = setsOf(settings).map(({ name }) => name);
    const { user: owner, organization } = described;
    const result = {
      device: { id: device.id, guid: device.guid, name: device.name },
      user: {
        id: owner.id,
        name: owner.username,
        keyLevel: owner.keyLevel,
        mustChangePassword: owner.mustChangePassword,
      },
      organization: organization.name,
      archive: device.archive?.id,
      sets,
    };
    out.result(result, () => {
      out.line(`"${device.name}" is now a device of ${owner.username} (${organization.name}), number ${device.guid}.`);
      out.line(
        `Backup sets: ${sets.join(', ') || 'none yet; `holdfast sets add` makes one'}. Key level: ${owner.keyLevel}.`,
      );
      out.line('`holdfast backup` makes the first backup; `holdfast service install` keeps it going.');
    });
    return undefined;
  } finally {
    enrolled.connection.close();
  }
};
