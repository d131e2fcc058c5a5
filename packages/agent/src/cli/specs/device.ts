import type { CommandSpec } from '../command.ts';
import { KEY, NEW_PASSWORD, PASSWORD } from './shared.ts';

/** Commands about the device itself: enrolment, service, status, settings, keys. */
export const DEVICE_SPECS: readonly CommandSpec[] = [
  {
    name: 'enrol',
    summary: 'make this machine a device of yours',
    details:
      'The string comes from your administrator: it names the server, its certificate and your organization. Without a password option the command asks on the terminal. A password that is for one time is replaced by one of your own: that is asked too, or read with --new-password-file.',
    arguments: [{ name: '<string>', about: 'the enrolment string, one line that begins with holdfast1:' }],
    options: [
      { flags: '--user <name>', about: 'your user name' },
      ...PASSWORD,
      NEW_PASSWORD,
      { flags: '--name <name>', about: "what to call this device (default: the machine's name)" },
      { flags: '--sign-up', about: 'make the user too, where the organization allows it' },
      ...KEY,
    ],
    examples: [
      {
        line: 'holdfast enrol "$ENROLMENT" --user ada --password-file password.txt',
        about: 'without questions, as in a script',
      },
    ],
    load: () => import('../commands/enrol.ts'),
  },
  {
    name: 'password',
    summary: 'change the password of your account',
    details:
      'Asks for the password you have, which may be one for one time, and for a new one. The archive password is another one: `holdfast key set-password`.',
    options: [...PASSWORD, NEW_PASSWORD],
    examples: [
      {
        line: 'holdfast password --password-file password.txt --new-password-file new-password.txt',
        about: 'without questions, as in a script',
      },
    ],
    load: () => import('../commands/password.ts'),
  },
  {
    name: 'status',
    summary: 'show what is protected, when it was backed up and what happens next',
    examples: [
      { line: 'holdfast status', about: 'for a person' },
      { line: 'holdfast status --json', about: 'for a program' },
    ],
    load: () => import('../commands/status.ts'),
  },
  {
    name: 'run',
    summary: 'run the service in the foreground: continuous backup until it is stopped',
    details: '`holdfast service install` has the system start it. SIGTERM stops it after the pack it is sending.',
    options: [{ flags: '--until-idle', about: 'end as soon as nothing is due' }],
    examples: [{ line: 'holdfast run --until-idle', about: 'do what is due now, then end' }],
    load: () => import('../commands/run.ts'),
  },
  {
    name: 'service',
    summary: 'install the service so that the system keeps it running',
    examples: [{ line: 'holdfast service show', about: 'what would be installed here' }],
    commands: [
      serviceSpec('show', 'print the service file without installing it', [
        { line: 'holdfast service show --kind launchd', about: 'what a Mac would get' },
      ]),
      serviceSpec('install', 'install and start the service', [
        { line: 'holdfast service install', about: 'as root for the whole machine, else for you' },
      ]),
      serviceSpec('uninstall', 'stop and remove the service; the state folder stays', [
        { line: 'holdfast service uninstall', about: '' },
      ]),
    ],
  },
  {
    name: 'config',
    summary: 'show and change limits and other settings of this device',
    examples: [
      { line: 'holdfast config', about: 'all of them' },
      { line: 'holdfast config set download.present 5M', about: 'at most 5 MiB a second while you work' },
    ],
    commands: [
      {
        name: 'list',
        summary: 'show every setting, its value and where it comes from',
        examples: [{ line: 'holdfast config list', about: '' }],
        load: async () => ({ run: (await import('../commands/config.ts')).list }),
      },
      {
        name: 'get',
        summary: 'show one setting',
        arguments: [{ name: '<name>', about: 'as `holdfast config list` names it' }],
        examples: [{ line: 'holdfast config get cpu.present', about: '' }],
        load: async () => ({ run: (await import('../commands/config.ts')).get }),
      },
      {
        name: 'set',
        summary: 'change one setting on this device',
        arguments: [
          { name: '<name>', about: 'as `holdfast config list` names it' },
          { name: '[value]', about: 'the new value' },
        ],
        options: [{ flags: '--default', about: "forget the device's own value" }],
        examples: [
          { line: 'holdfast config set upload.present 2M', about: 'at most 2 MiB a second while you work' },
          { line: 'holdfast config set upload.present --default', about: 'back to what the server says' },
        ],
        load: async () => ({ run: (await import('../commands/config.ts')).set }),
      },
    ],
  },
  {
    name: 'key',
    summary: 'show and change who can open your archive',
    details:
      'Key levels, each only upwards: account (the organization can restore for you), archive-password (a password of your own, which nobody can reset), custom-key (only the file that you exported opens it).',
    commands: [
      {
        name: 'show',
        summary: 'show the key level, the fingerprint of your identity and the devices that hold it',
        examples: [{ line: 'holdfast key show', about: '' }],
        load: async () => ({ run: (await import('../commands/key.ts')).show }),
      },
      {
        name: 'set-password',
        summary:
          'protect the archive by a password of its own, or change that password; the server can then not open it any more',
        options: [...PASSWORD, { flags: '--archive-password-file <file>', about: 'the new archive password' }],
        examples: [
          {
            line: 'holdfast key set-password --password-file password.txt --archive-password-file archive-password.txt',
            about: 'one way: back to account is not possible',
          },
        ],
        load: async () => ({ run: (await import('../commands/key.ts')).setPassword }),
      },
      {
        name: 'export',
        summary: 'write your key to a file and make it the only way into the archive beside your devices',
        arguments: [{ name: '<file>', about: 'a new file; keep it where this device is not' }],
        options: [...PASSWORD, { flags: '--copy-only', about: 'write the file and leave the key level as it is' }],
        examples: [
          { line: 'holdfast key export my-archive.key --copy-only', about: 'a copy for your safe' },
          {
            line: 'holdfast key export only.key --password-file password.txt',
            about: 'key level custom-key: lose the file and all devices, and the archive is lost',
          },
        ],
        load: async () => ({ run: (await import('../commands/key.ts')).exportKey }),
      },
      {
        name: 'renew',
        summary: 'change the keys of what is stored from now on, so that a removed device cannot open it',
        details:
          'At key level account the next backup does this by itself once a device was removed. What was stored before stays readable to whoever kept old keys.',
        arguments: [{ name: '[file]', about: 'at key level custom-key: a new file for the new key' }],
        options: [
          ...PASSWORD,
          { flags: '--archive-password-file <file>', about: 'the archive password, at key level archive-password' },
        ],
        examples: [
          {
            line: 'holdfast key renew --password-file password.txt --archive-password-file archive-password.txt',
            about: 'after a laptop was lost and removed',
          },
        ],
        load: async () => ({ run: (await import('../commands/key-renew.ts')).renew }),
      },
      {
        name: 'recover',
        summary: 'give this device the key to your archive again',
        details: 'At key level account the server brings it; above that your archive password or exported file does.',
        options: KEY,
        examples: [{ line: 'holdfast key recover --identity my-archive.key', about: 'with the exported key' }],
        load: async () => ({ run: (await import('../commands/key.ts')).recover }),
      },
      {
        name: 'request',
        summary: 'get the key to your archive from another device of yours, which shows the same words',
        details:
          'Waits until `holdfast key add-device` was run on a device that has the key, for an hour at most; the same command goes on after Ctrl-C. Compare the words: they are how you know that nobody stands between the two.',
        options: [{ flags: '--words <words>', about: 'the words that the other device shows, instead of a question' }],
        examples: [{ line: 'holdfast key request', about: 'on a terminal of the new device' }],
        load: () => import('../commands/key-request.ts'),
      },
      {
        name: 'add-device',
        summary: 'give the key to your archive to a device of yours that waits for it',
        arguments: [{ name: '[device]', about: 'name or number, where several wait' }],
        options: [{ flags: '--words <words>', about: 'the words that the new device shows, instead of a question' }],
        examples: [
          {
            line: 'holdfast key add-device --words "$WORDS"',
            about: 'without questions; on a terminal you are shown the words and asked',
          },
        ],
        load: () => import('../commands/key-add-device.ts'),
      },
    ],
  },
];

function serviceSpec(name: string, summary: string, examples: CommandSpec['examples']): CommandSpec {
  return {
    name,
    summary,
    options: [
      { flags: '--kind <kind>', about: 'instead of what this system uses', choices: ['systemd', 'launchd', 'windows'] },
    ],
    examples: examples ?? [],
    load: async () => {
      const module = await import('../commands/os-service.ts');
      return { run: (context, input) => module.run(name, context, input) };
    },
  };
}
