import type { OptionSpec } from '../command.ts';

/** Options that several commands share, worded once. */

export const SET: OptionSpec = { flags: '--set <name>', about: 'only this backup set' };

/** Which point in time a command looks at; without any, the newest snapshot of this device. */
export const POINT: readonly OptionSpec[] = [
  { flags: '--at <time>', about: 'as it was then: 2026-03-01, "2026-03-01 14:30", yesterday, 3d' },
  { flags: '--snapshot <id>', about: 'in this snapshot (the first digits of its id are enough)' },
  SET,
  { flags: '--device <name>', about: 'of another of your devices, by name or id' },
];

const EARLIER_PASSWORD: OptionSpec = {
  flags: '--earlier-password',
  about: 'also accept an archive password from before its last change',
};

export const DELETED: OptionSpec = { flags: '--deleted', about: 'include what was deleted since' };

/** Straight from a store folder: no server, no enrolment. */
export const STORE: readonly OptionSpec[] = [
  { flags: '--store <folder>', about: "read a server's store point directly: a folder or a file:// URL" },
  { flags: '--identity <file>', about: 'the exported key that opens it' },
  { flags: '--archive-password-file <file>', about: 'the archive password instead, where the archive has one' },
  EARLIER_PASSWORD,
  { flags: '--archive <id>', about: 'which archive, where the store holds several' },
];

export const PASSWORD: readonly OptionSpec[] = [
  { flags: '--password-stdin', about: 'read the password from standard input' },
  { flags: '--password-file <file>', about: 'read the password from a file' },
];

export const NEW_PASSWORD: OptionSpec = {
  flags: '--new-password-file <file>',
  about: "read a password of the user's own from a file",
};

/** What opens an archive that the server cannot open. */
export const KEY: readonly OptionSpec[] = [
  { flags: '--archive-password-file <file>', about: 'the archive password, at key level archive-password' },
  EARLIER_PASSWORD,
  { flags: '--identity <file>', about: 'the exported key, at key level custom-key' },
];
