// The one error class of the agent. CODES names everything that it can refuse or fail at, with the sentence that tells
// a person what to do; docs/errors.md repeats the same codes. Errors of the archive engine and of the protocol pass
// through as they are; `cli/exit-codes.ts` maps all three to exit codes.

export const CODES = {
  usage: 'Run the command with --help to see what it takes.',
  not_enrolled: 'Enrol this device first: `holdfast enrol STRING`, with the line from your administrator.',
  already_enrolled: 'This device is enrolled already. To start over, stop the service and move its state folder away.',
  enrolment_unfinished:
    'This device is enrolled, but has no key to the archive yet. Run the same `holdfast enrol` again, or `holdfast key request` to get the key from another device of yours.',
  home_unsafe: 'The state folder holds keys and must belong to this user alone. Correct its owner and rights.',
  state_damaged:
    'A file of the state folder is damaged. Restore that file, or enrol the device again; the archive is not affected.',
  state_newer: 'A newer program wrote the state folder. Upgrade this program.',
  busy: 'Another Holdfast process is doing this right now. Wait for it, or look at `holdfast status`.',
  daemon_running: 'The service runs already for this state folder; `holdfast status` shows it.',
  daemon_lost: 'The service ended before it answered. Look at its log, then try again.',
  interrupted: 'Stopped as asked. What was sent is kept; the next run goes on from there.',
  offline: 'The server cannot be reached. Check the network; nothing is lost, and the next run goes on.',
  ca_mismatch:
    'The server does not show the certificate that the enrolment string names. Do not go on; ask your administrator for the current string.',
  ca_changed:
    'The server shows a certificate of another authority than at enrolment. Nothing was sent; tell your administrator.',
  bad_answer: 'The answer is not one of a Holdfast server. Check address and proxies in between.',
  password_needed: 'Give the password with --password-stdin or --password-file, or run the command on a terminal.',
  new_password_needed:
    'This password is for one time. Give one of your own with --new-password-file, or run the command on a terminal.',
  passphrase_needed:
    'The archive is protected by a password of its own. Give it with --archive-password-file, or on a terminal.',
  identity_needed: 'The archive opens only with the exported key. Give the file with --identity FILE.',
  identity_foreign: 'This key opens another archive. Use the one that was exported from this account.',
  identity_missing:
    'This device has no key to the archive yet. Run `holdfast key recover`, or `holdfast key request` to get it from another device of yours.',
  key_request_ended:
    'Nobody gave this device the key while it asked. Run `holdfast key request` again, and `holdfast key add-device` on a device that has the key.',
  key_request_none: 'No device of yours asks for the key. Run `holdfast key request` on the new one first.',
  key_request_foreign:
    'It gets no key. If the key level was just changed, run `holdfast key request` there again; otherwise somebody may stand between your devices: tell your administrator.',
  key_request_removed: 'It gets no key. To use that device again, enrol it anew.',
  words_differ:
    'The words are not those of the other device. Nothing was given or accepted: somebody may stand between your devices. Try once more, then tell your administrator.',
  words_invalid: 'Type all 12 words as the other device shows them, in their order.',
  words_needed:
    'Compare the words on both devices: on a terminal you are asked; without one run the command again with --words and the words that the other device shows.',
  key_level_fixed: 'A key level can be raised, never lowered: account, then archive-password, then custom-key.',
  export_exists: 'The file exists already and is not replaced. Choose another name.',
  password_weak: 'Choose a password of at least 12 characters: nobody can reset it, and it can be guessed at offline.',
  set_unknown:
    'Name a backup set that exists: `holdfast sets` lists those of this device, `holdfast snapshots --all` those with snapshots.',
  device_name_unknown: 'Name one of your devices, by name or id; `holdfast key show` lists them.',
  set_exists: 'There is a backup set of this name already. Choose another name, or edit it.',
  set_last: 'The last backup set is not removed. Pause backups instead, or add another set first.',
  selection_empty: 'Nothing of the selection exists on this device. Check the paths of the set.',
  selection_invalid: 'Select absolute paths of files or folders on this device.',
  glob_invalid: 'Write exclusions as globs: `*.tmp`, `**/node_modules`, `/home/*/Downloads`.',
  setting_unknown: 'There is no setting of this name; `holdfast config` lists them.',
  setting_invalid: 'The value does not fit this setting; `holdfast config` shows what each takes.',
  time_invalid:
    'Write a time as 2026-03-01, "2026-03-01 14:30", 2026-03-01T14:30Z, yesterday, or an age such as 2h or 3d.',
  duration_invalid: 'Write a duration as 30m, 2h or 1d.',
  size_invalid: 'Write a rate as 500K, 10M or 0 for no limit (bytes a second).',
  snapshot_unknown: 'There is no such snapshot; `holdfast snapshots` lists them.',
  snapshot_none: 'Nothing has been backed up yet that fits. Run `holdfast backup`, or look at `holdfast snapshots`.',
  snapshot_damaged:
    'What was asked for may lie in a snapshot that does not pass its checks. Choose an earlier one with --at or --snapshot, or restore the file from another copy of the store.',
  key_outdated:
    'This key is from before they were made. Write it again on a device of yours with `holdfast key export FILE --copy-only`, or choose an earlier snapshot with --at or --snapshot.',
  key_file_damaged:
    'A key file that is for this key does not open: it was damaged or replaced. Bring it back from another copy of the store; until then nothing opens that was sealed with its keys.',
  wrap_damaged:
    'The wrapped key is damaged, so no password opens it. Use the exported key file, or --earlier-password with a password from before its last change.',
  snapshot_ambiguous: 'More than one snapshot fits. Give more digits of its id.',
  path_unknown:
    'The snapshot does not hold this path. Look with `holdfast ls` or `holdfast find`, perhaps with --deleted.',
  target_missing: 'Say where the files should go: --to DIR.',
  store_unsupported:
    'A store is read from a folder: give its path or a file:// URL. For one on another machine, mount or copy it first.',
  store_unreadable: 'There is no Holdfast store in this folder. Give the folder that holds `archives`.',
  archive_choice: 'The store holds more than one archive that this key opens. Choose one with --archive ID.',
  service_unsupported:
    'Services are installed with systemd, launchd or the Windows task scheduler. Run `holdfast run` by other means.',
  service_failed: 'The service could not be installed. The message of the system says why.',
  disk_full: 'The disk of this device is full. Free some space; the agent goes on by itself.',
  internal: 'This is a fault of the program. Please report it with the log.',
} as const;

export type AgentErrorCode = keyof typeof CODES;

type Details = {
  /** What happened, in one sentence without its full stop; the advice of the code follows it. */
  readonly what?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** Whether the same call can succeed later without anybody changing anything. */
  readonly retryable?: boolean;
};

const RETRYABLE: ReadonlySet<AgentErrorCode> = new Set<AgentErrorCode>(['busy', 'offline', 'disk_full', 'daemon_lost']);

export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;
  readonly data: Readonly<Record<string, unknown>>;
  readonly retryable: boolean;

  constructor(code: AgentErrorCode, { what, data = {}, cause, retryable }: Details = {}) {
    super(what === undefined ? CODES[code] : `${what}. ${CODES[code]}`, cause === undefined ? {} : { cause });
    this.code = code;
    this.data = data;
    this.retryable = retryable ?? RETRYABLE.has(code);
  }
}

/** The end of a `what` that names what there is instead of what was asked for. */
export const butKnown = (known: readonly string[]): string =>
  known.length === 0
    ? ''
    : `; there ${known.length === 1 ? 'is' : 'are'} ${known.map((name) => `"${name}"`).join(', ')}`;

/** The code of any error, ours or a neighbour's or the system's; `undefined` for what has none. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : undefined;
}
