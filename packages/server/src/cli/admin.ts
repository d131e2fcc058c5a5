import { printable } from '@holdfast/protocol/printable.ts';
import type { Command } from 'commander';
import { archiveOf, formerDevicesOf } from '../authority/archives/store.ts';
import { verifyChain } from '../authority/audit/audit.ts';
import { type AuthorityContext, inTransaction } from '../authority/context.ts';
import { listDevices, removeDevice } from '../authority/devices/store.ts';
import { theOrganization } from '../authority/organization/store.ts';
import { ADMIN_ROLES } from '../authority/roles.ts';
import { createPasswords } from '../authority/sign-in/passwords.ts';
import type { UserRow } from '../authority/tables.ts';
import { createUser, givePassword, resetPassword, SYSTEM } from '../authority/users/create.ts';
import { describeUsers, findUser, findUserByName, listUsers } from '../authority/users/store.ts';
import type { ServerFlags } from '../config.ts';
import { ServerError } from '../errors.ts';
import { type Foundation, openFoundation } from '../foundation.ts';
import { askPassword } from './ask.ts';
import { configOf, print, withData, withExample, withJson } from './options.ts';

type Flags = ServerFlags & { json?: boolean };

/** Commands on users and devices; they work beside a running server. */
export function addAdmin(program: Command): void {
  const admin = program.command('admin').description('Manage administrators from the machine itself.');
  command(
    admin,
    'create <name>',
    'Create an administrator and print a one-time password.',
    (f, json, name) => create(f, json, name, ADMIN_ROLES),
    'root',
  );
  command(admin, 'reset <name>', 'Give a user a new one-time password.', reset, 'root');

  const user = program.command('user').description('Manage users.');
  command(
    user,
    'create <name>',
    'Create a user and print a one-time password.',
    (f, json, name) => create(f, json, name),
    'ada',
  );
  withJson(withData(user.command('password <name>')))
    .description('Set the password of a user, for instance your own; the sessions of the user end, the devices go on.')
    .option('--password-file <file>', 'file with the new password (default: asked for, or piped in)')
    .addHelpText('after', '\nExample:\n  holdfast-server user password ada --data /var/lib/holdfast')
    .action((name: string, { passwordFile, json, ...flags }: Flags & { passwordFile?: string }) =>
      onFoundation(flags, async ({ context }) => {
        const { id, username } = await requireUserByName(context, name);
        const password = await askPassword(passwordFile);
        const passwords = createPasswords(context.random);
        await givePassword(context, passwords, SYSTEM, { userId: id, password, isForOneTime: false });
        print(json, { id, username }, `The password of ${username} is set.`);
      }),
    );
  command(user, 'list', 'List users.', listAllUsers);

  const device = program.command('device').description('Manage devices.');
  command(device, 'list', 'List devices.', listAllDevices);
  command(
    device,
    'revoke <id>',
    'Remove a device by its id or GUID; its snapshots stay.',
    revoke,
    '204818234517263851',
  );

  const audit = program.command('audit').description('Look after the audit log.');
  command(audit, 'verify', 'Recompute the chain of the audit log.', async ({ context }, json) => {
    const entries = await verifyChain(context.database.kysely);
    print(json, { entries }, `${entries} entries, the chain is whole.`);
  });
}

type Work = (foundation: Foundation, json: boolean | undefined, argument: string) => Promise<void>;

/** `argument`: what stands for the command's own in its example. */
function command(parent: Command, usage: string, description: string, work: Work, argument = ''): void {
  const takesArgument = usage.includes('<');
  const words = [parent.name(), usage.replace(/ .*/, ''), argument].filter((word) => word !== '');
  withExample(withJson(withData(parent.command(usage))), `${words.join(' ')} --data /var/lib/holdfast`)
    .description(description)
    .action((...args: unknown[]) => {
      const { json, ...flags } = args[takesArgument ? 1 : 0] as Flags;
      return onFoundation(flags, (foundation) => work(foundation, json, takesArgument ? String(args[0]) : ''));
    });
}

async function onFoundation(flags: ServerFlags, work: (foundation: Foundation) => Promise<void>): Promise<void> {
  const foundation = await openFoundation(configOf(flags), { create: false, now: Date.now });
  try {
    await work(foundation);
  } finally {
    await foundation.close();
  }
}

async function requireUserByName({ database }: AuthorityContext, username: string): Promise<UserRow> {
  const user = await findUserByName(database.kysely, username);
  if (user === undefined) throw new ServerError('user_missing', { data: { username } });
  return user;
}

async function create(
  { context }: Foundation,
  json: boolean | undefined,
  username: string,
  roles?: readonly string[],
): Promise<void> {
  const passwords = createPasswords(context.random);
  const organization = await theOrganization(context.database.kysely);
  const request = { organization: organization.id, username, roles };
  const { user, oneTimePassword } = await createUser(context, passwords, SYSTEM, request);
  print(json, { id: user.id, username, password: oneTimePassword }, oneTimeText(username, oneTimePassword));
}

async function reset({ context }: Foundation, json: boolean | undefined, username: string): Promise<void> {
  const user = await requireUserByName(context, username);
  const password = await resetPassword(context, createPasswords(context.random), SYSTEM, user.id);
  print(json, { id: user.id, username, password }, oneTimeText(username, password));
}

const oneTimeText = (username: string, password: string | null) =>
  `User ${username}, one-time password: ${password}\n` +
  'Its first use is its last: "holdfast enrol" asks for a password of the user\'s own, and so does "holdfast password" on a\n' +
  'device that is enrolled already.';

const PAGE = 1000;

async function listAllUsers({ context }: Foundation, json: boolean | undefined): Promise<void> {
  const { kysely } = context.database;
  let after: string | undefined;
  for (;;) {
    const rows = await listUsers(kysely, { after, limit: PAGE });
    for (const user of await describeUsers(kysely, rows)) {
      print(json, user, printable(`${user.id}  ${user.state.padEnd(8)} ${user.username}  (${user.roles.join(', ')})`));
    }
    if (rows.length < PAGE) return;
    after = rows.at(-1)?.username_key;
  }
}

async function listAllDevices({ context }: Foundation, json: boolean | undefined): Promise<void> {
  let after: string | undefined;
  for (;;) {
    const devices = await listDevices(context.database.kysely, { after, limit: PAGE });
    for (const d of devices) {
      const state = d.removed === null ? `seen ${isoTime(d.lastSeen)}` : `removed ${isoTime(d.removed)}`;
      print(json, d, printable(`${d.guid}  ${d.name}  ${d.username}  ${d.os.platform}  ${d.version}  ${state}`));
    }
    if (devices.length < PAGE) return;
    after = devices.at(-1)?.id;
  }
}

const isoTime = (ms: number | null) => (ms === null ? 'never' : new Date(ms).toISOString());

async function revoke({ context }: Foundation, json: boolean | undefined, idOrGuid: string): Promise<void> {
  const device = await context.database.kysely
    .selectFrom('devices')
    .select(['id', 'name', 'user'])
    .where((eb) => eb.or([eb('id', '=', idOrGuid), eb('guid', '=', idOrGuid)]))
    .executeTakeFirst();
  const removed =
    device !== undefined &&
    (await inTransaction(context, (trx) => removeDevice(trx, device.id, 'system', context.now())));
  if (!removed) throw new ServerError('device_missing', { data: { device: idOrGuid } });
  const advice = await whoRenewsKeys(context, device.user);
  print(json, { removed: device.id, ...advice }, `Removed ${printable(device.name)}. ${advice.keys}`);
}

/** The removed device has no more access to the server, but the keys that it had still fit. */
async function whoRenewsKeys({ database }: AuthorityContext, userId: string): Promise<{ keys: string }> {
  const { kysely } = database;
  const user = await findUser(kysely, userId);
  if (user === undefined || (await formerDevicesOf(kysely, await archiveOf(kysely, userId))).length === 0)
    return { keys: 'It had no key to an archive.' };
  const until = 'until then its keys also open what is stored from now on, for whoever gets at the bytes';
  if (user.key_level === 'account')
    return { keys: `The next backup of another device of ${user.username} renews the keys by itself; ${until}.` };
  return { keys: `Ask ${user.username} to run \`holdfast key renew\` on another device; ${until}.` };
}
