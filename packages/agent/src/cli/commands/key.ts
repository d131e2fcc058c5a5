import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { formatIdentity } from '@holdfast/archive/keys/identity.ts';
import { KEY_LEVELS } from '@holdfast/archive/keys/levels.ts';
import { formatTime } from '../../archive/time.ts';
import { AgentError } from '../../errors.ts';
import { changeArchivePassword } from '../../keys/archive-password.ts';
import { requireIdentity } from '../../keys/device-keys.ts';
import { readDeviceList } from '../../keys/device-list.ts';
import { exportedTo } from '../../keys/exported-file.ts';
import { acceptedIdentity } from '../../keys/follow-identity.ts';
import { recoverIdentity } from '../../keys/recover.ts';
import { renewIdentity } from '../../keys/renew-identity.ts';
import { writeAtomic } from '../../state/atomic-file.ts';
import { requireDevice } from '../../state/device.ts';
import { type CommandModule, isSet, textOption } from '../command.ts';
import { homeOf } from '../context.ts';
import { readTextFile } from '../prompt.ts';
import { accountPassword, archivePassword, newArchivePassword } from '../secrets.ts';
import { openServer } from '../server-access.ts';

type Run = CommandModule['run'];

export const show: Run = async (context) => {
  const { out, clock, signal } = context;
  const { home, device, connection, context: described } = await openServer(context);
  try {
    const endpoint = connection.endpoint(device.archive.id, null);
    const identity = await acceptedIdentity({ home, connection, context: described, endpoint, signal });
    const list = await readDeviceList(home, endpoint, identity, signal);
    const level = described.user.keyLevel;
    const devices = (list?.devices ?? []).map((each) => ({
      id: toHex(each.deviceId),
      name: each.name,
      added: each.added,
      removed: each.removed,
      own: toHex(each.deviceId) === device.id,
    }));
    const fingerprint = fingerprintOf(identity.recipient);
    const { openedBy, lost } = KEY_LEVELS[level];
    out.result({ level, openedBy, lost, archive: device.archive.id, fingerprint, devices }, () => {
      out.line(`Key level: ${level}. ${openedBy} ${lost}`);
      out.line(`Archive ${device.archive.id}, identity ${fingerprint}`);
      for (const each of devices) {
        const state = each.removed === null ? '' : `, removed ${formatTime(each.removed, clock.zone)}`;
        out.line(
          `  ${each.name}${each.own ? ' (this device)' : ''}, since ${formatTime(each.added, clock.zone)}${state}`,
        );
      }
    });
    return undefined;
  } finally {
    connection.close();
  }
};

/** What people compare on two devices: groups of four, enough that nobody can make another that looks the same. */
const fingerprintOf = (recipient: string): string =>
  (createHash('sha256').update(recipient).digest('hex').slice(0, 32).match(/.{4}/g) ?? []).join(' ');

export const setPassword: Run = async (context, input) => {
  const { out, clock, random, signal } = context;
  const access = await openServer(context);
  try {
    const level = access.context.user.keyLevel;
    if (level === 'custom-key')
      throw new AgentError('key_level_fixed', { what: 'The key level is custom-key already' });
    const passphrase = await newArchivePassword(context, input);
    if (level === 'archive-password') await changeArchivePassword({ ...access, passphrase, signal });
    else {
      out.note('Once this is done only you can open the archive, and nobody can reset this password.');
      await renewIdentity({
        ...access,
        renewal: { level: 'archive-password', passphrase },
        password: await accountPassword(context, input),
        fillRandom: (target) => target.set(random(target.length)),
        now: clock.now,
        signal,
      });
    }
    out.result({ level: 'archive-password', raised: level === 'account' }, () => {
      out.line(
        'The archive is protected by its own password. What was sealed before stays readable to whoever kept old keys.',
      );
      if (level === 'account')
        out.line(
          'A key that was exported before opens only that: `holdfast key export FILE --copy-only` writes the new one.',
        );
    });
    return undefined;
  } finally {
    access.connection.close();
  }
};

export const exportKey: Run = async (context, input) => {
  const { out, cwd, clock, random, signal } = context;
  const typed = input.arguments[0] ?? '';
  const path = resolve(cwd, typed);
  if (existsSync(path)) throw new AgentError('export_exists', { what: typed });
  if (isSet(input, 'copyOnly')) {
    const home = homeOf(context);
    writeAtomic(path, formatIdentity(await requireIdentity(home, requireDevice(home))));
    out.result({ file: path, level: null }, () =>
      out.line(`${path} opens your archive: whoever has it can read everything.`),
    );
    return undefined;
  }
  const access = await openServer(context);
  try {
    if (access.context.user.keyLevel === 'custom-key') {
      throw new AgentError('key_level_fixed', {
        what: 'The key level is custom-key already; --copy-only writes another copy',
      });
    }
    out.note('Once this is done only your devices and this file open the archive. Without them it is lost.');
    await renewIdentity({
      ...access,
      renewal: exportedTo(path),
      password: await accountPassword(context, input),
      fillRandom: (target) => target.set(random(target.length)),
      now: clock.now,
      signal,
    });
    out.result({ file: path, level: 'custom-key' }, () => {
      out.line(`${path} is the only way into your archive beside your devices. Keep it where none of them is.`);
    });
    return undefined;
  } finally {
    access.connection.close();
  }
};

export const recover: Run = async (context, input) => {
  const { out, cwd, clock, signal } = context;
  const access = await openServer(context);
  try {
    const file = textOption(input, 'identity');
    const source = {
      ...(file !== undefined && { identityFile: readTextFile(file, cwd) }),
      passphrase: () => archivePassword(context, input),
      earlier: isSet(input, 'earlierPassword'),
    };
    await recoverIdentity({ ...access, source, now: clock.now, signal });
    out.result({ recovered: true, level: access.context.user.keyLevel }, () =>
      out.line('This device has the key to your archive.'),
    );
    return undefined;
  } finally {
    access.connection.close();
  }
};
