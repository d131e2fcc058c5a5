import type { CommandSpec, OptionSpec } from '../command.ts';
import { SET } from './shared.ts';

const SELECTION: readonly OptionSpec[] = [
  { flags: '--exclude <glob...>', about: 'leave out: *.iso, node_modules, ~/Downloads; may be repeated' },
  { flags: '--priority <number>', about: 'lower numbers go first' },
  { flags: '--every <duration>', about: 'how often a version is made, as 15m or 1h' },
  { flags: '--walk-at <time>', about: 'when everything is walked each day, as 03:00' },
];

/** Commands about making backups: running, pausing, choosing what. */
export const BACKUP_SPECS: readonly CommandSpec[] = [
  {
    name: 'backup',
    summary: 'back up now',
    details:
      'A running service does it and shows its progress here; without one this command does it itself. It runs at full speed, because you wait for it, and even while backups are paused. Ctrl-C stops it; what was sent is kept.',
    options: [
      SET,
      { flags: '--all-folders', about: 'walk every folder, also those in which the watcher saw no change' },
      { flags: '--gentle', about: 'keep to the CPU limits as the service does' },
    ],
    examples: [
      { line: 'holdfast backup', about: 'every set' },
      { line: 'holdfast backup --set documents --json', about: 'one set, for a program' },
    ],
    load: () => import('../commands/backup.ts'),
  },
  {
    name: 'pause',
    summary: 'stop making backups for a while',
    options: [{ flags: '--for <duration>', about: 'go on by itself after 30m, 2h, 1d; without it, until resumed' }],
    examples: [{ line: 'holdfast pause --for 2h', about: '' }],
    load: async () => ({ run: (await import('../commands/pause.ts')).pause }),
  },
  {
    name: 'resume',
    summary: 'go on after a pause',
    examples: [{ line: 'holdfast resume', about: '' }],
    load: async () => ({ run: (await import('../commands/pause.ts')).resume }),
  },
  {
    name: 'sets',
    summary: 'show and change what is backed up',
    examples: [
      { line: 'holdfast sets', about: 'all of them' },
      { line: 'holdfast sets edit work --every 1h', about: 'see `holdfast sets edit --help` for more' },
    ],
    commands: [
      {
        name: 'list',
        summary: 'show the backup sets',
        examples: [{ line: 'holdfast sets list', about: '' }],
        load: async () => ({ run: (await import('../commands/sets.ts')).list }),
      },
      {
        name: 'add',
        summary: 'add a backup set',
        arguments: [
          { name: '<name>', about: 'what to call it' },
          { name: '<path...>', about: 'files and folders; ~ is your home' },
        ],
        options: [
          ...SELECTION,
          { flags: '--no-default-exclude', about: 'do not leave out caches, trash and system folders' },
        ],
        examples: [
          { line: 'holdfast sets add documents ~/Documents --exclude "*.iso"', about: '' },
          {
            line: 'holdfast sets add work ~/work --priority 2 --every 30m --exclude node_modules --exclude target/',
            about: '',
          },
        ],
        load: async () => ({ run: (await import('../commands/sets.ts')).add }),
      },
      {
        name: 'edit',
        summary: 'change a backup set; its snapshots go on',
        arguments: [{ name: '<name>', about: 'which set' }],
        options: [
          { flags: '--rename <name>', about: 'call it differently' },
          { flags: '--add <path...>', about: 'select one more file or folder; may be repeated' },
          { flags: '--drop <path...>', about: 'no longer select it; its old snapshots stay; may be repeated' },
          ...SELECTION,
          { flags: '--include <glob...>', about: 'no longer leave out what this exclusion names; may be repeated' },
        ],
        examples: [{ line: 'holdfast sets edit work --add ~/Pictures --exclude "*.tmp"', about: '' }],
        load: async () => ({ run: (await import('../commands/sets.ts')).edit }),
      },
      {
        name: 'remove',
        summary: 'remove a backup set; its snapshots stay in the archive',
        arguments: [{ name: '<name>', about: 'which set' }],
        examples: [{ line: 'holdfast sets remove work', about: '' }],
        load: async () => ({ run: (await import('../commands/sets.ts')).remove }),
      },
    ],
  },
];
