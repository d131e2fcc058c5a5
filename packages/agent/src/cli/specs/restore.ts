import type { CommandSpec } from '../command.ts';
import { DELETED, POINT, SET, STORE } from './shared.ts';

/** Commands about looking into the archive and getting things back. */
export const RESTORE_SPECS: readonly CommandSpec[] = [
  {
    name: 'snapshots',
    summary: 'list the points in time that can be restored',
    options: [
      SET,
      { flags: '--device <name>', about: 'of another of your devices, by name or id' },
      { flags: '--all', about: 'of all your devices' },
      ...STORE,
    ],
    examples: [
      { line: 'holdfast snapshots', about: 'of this device' },
      { line: 'holdfast snapshots --all --json', about: 'of all devices, for a program' },
    ],
    load: () => import('../commands/snapshots.ts'),
  },
  {
    name: 'ls',
    summary: 'list a folder of a snapshot',
    arguments: [{ name: '[path]', about: 'the folder (default: the top)' }],
    options: [...POINT, DELETED, { flags: '--recursive', about: 'with everything below' }, ...STORE],
    examples: [
      { line: 'holdfast ls ~/Documents', about: 'as it is in the newest snapshot' },
      { line: 'holdfast ls ~/Documents --at yesterday --deleted', about: '' },
    ],
    load: () => import('../commands/ls.ts'),
  },
  {
    name: 'find',
    summary: 'find files by name in a snapshot',
    arguments: [{ name: '<pattern>', about: 'a glob: *.odt, report*, ~/work/**/*.c' }],
    options: [...POINT, DELETED, ...STORE],
    examples: [{ line: 'holdfast find "*.txt" --deleted', about: 'also what was deleted since' }],
    load: () => import('../commands/find.ts'),
  },
  {
    name: 'restore',
    summary: 'get files back',
    details:
      'Without --to, files go back to where they were. What is there already and differs is kept under another name, unless --existing says otherwise. --store needs no server: it reads a copy of the store point.',
    arguments: [{ name: '[path...]', about: 'files and folders (default: everything in the snapshot)' }],
    options: [
      ...POINT,
      { flags: '--to <folder>', about: 'restore into this folder instead of the original place' },
      {
        flags: '--existing <what>',
        about: 'what to do with a file that is there already (default: rename)',
        choices: ['rename', 'overwrite', 'skip'],
      },
      DELETED,
      { flags: '--dry-run', about: 'say what would be done, and do nothing' },
      ...STORE,
    ],
    examples: [
      { line: 'holdfast restore ~/Documents --to restored', about: 'into a folder of its own' },
      { line: 'holdfast restore ~/Documents/letter.txt --at 1h --dry-run', about: 'what would be done' },
      { line: 'holdfast restore ~/Documents/letter.txt --existing overwrite', about: 'back to where it was' },
      {
        line: 'holdfast restore --store /mnt/store --identity my-archive.key --to rescued',
        about: 'without a server, from a copy of the store',
      },
    ],
    load: () => import('../commands/restore.ts'),
  },
  {
    name: 'check',
    summary: 'check that everything in the archive is there and opens',
    details: 'What turns out to be damaged or missing is reported to the server, and the next backup stores it again.',
    options: [{ flags: '--read-data', about: 'read and open every chunk, not only the structure' }, ...STORE],
    examples: [
      { line: 'holdfast check', about: 'the structure of every snapshot' },
      { line: 'holdfast check --read-data', about: 'every byte' },
    ],
    load: () => import('../commands/check.ts'),
  },
];
