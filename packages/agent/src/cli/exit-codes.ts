import { codeOf } from '../errors.ts';

/**
 * Exit codes, for scripts. The same table stands in docs/guide/exit-codes.md and under every command's --help.
 * Codes of errors come from three packages (agent, archive, protocol); the first family that names one decides.
 */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  notEnrolled: 4,
  offline: 5,
  refused: 6,
  damaged: 7,
  busy: 8,
  keyNeeded: 9,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitName = keyof typeof EXIT;
export type ExitCode = (typeof EXIT)[ExitName];

export const EXIT_MEANINGS: Readonly<Record<ExitName, string>> = {
  ok: 'done',
  failed: 'it failed; the message says why and what to do',
  usage: 'the command line, a path, a time or a setting is not right',
  partial: 'done, but some files could not be read or written; they are listed',
  notEnrolled: 'this device is not enrolled',
  offline: 'the server cannot be reached; the next run goes on from there',
  refused: 'the server refused: password, permission, or the device was removed',
  damaged: 'something stored or kept is damaged; the message names it',
  busy: 'another process does this right now, or the server asks to come back later',
  keyNeeded: 'the archive needs its password or exported key, or they are wrong',
  interrupted: 'stopped by Ctrl-C; what was sent is kept',
  terminated: 'stopped by SIGTERM; what was sent is kept',
};

const FAMILIES: readonly (readonly [ExitName, ReadonlySet<string>])[] = [
  ['interrupted', new Set(['interrupted'])],
  ['notEnrolled', new Set(['not_enrolled', 'enrolment_unfinished'])],
  ['offline', new Set(['offline', 'unreachable', 'unavailable', 'shutting_down', 'store_unavailable', 'daemon_lost'])],
  [
    'usage',
    new Set([
      'usage',
      'already_enrolled',
      'enrolment_string_invalid',
      'set_unknown',
      'device_name_unknown',
      'set_exists',
      'set_last',
      'selection_empty',
      'selection_invalid',
      'glob_invalid',
      'setting_unknown',
      'setting_invalid',
      'time_invalid',
      'duration_invalid',
      'size_invalid',
      'snapshot_unknown',
      'snapshot_ambiguous',
      'path_unknown',
      'target_missing',
      'store_unsupported',
      'archive_choice',
      'export_exists',
      'password_weak',
      'password_too_weak',
      'name_invalid',
      'words_invalid',
    ]),
  ],
  [
    'refused',
    new Set([
      'forbidden',
      'unauthenticated',
      'sign_in_failed',
      'sign_up_closed',
      'user_blocked',
      'password_change_required',
      'registration_key_invalid',
      'device_revoked',
      'capability_invalid',
      'capability_revoked',
      'too_many_attempts',
      'ca_mismatch',
      'ca_changed',
      'store_denied',
      'key_level_lower',
      'key_level_fixed',
      'budget_spent',
      'words_differ',
      'key_request_foreign',
      'key_request_removed',
    ]),
  ],
  ['busy', new Set(['busy', 'daemon_running', 'archive_not_ready'])],
  [
    'keyNeeded',
    new Set([
      'password_needed',
      'new_password_needed',
      'passphrase_needed',
      'passphrase_wrong',
      'identity_needed',
      'identity_foreign',
      'identity_missing',
      'identity_invalid',
      'wrap_unopenable',
      'key_not_escrowed',
      'key_file_unopenable',
      'key_request_ended',
      'words_needed',
      'key_outdated',
    ]),
  ],
  [
    'damaged',
    new Set([
      'state_damaged',
      'format_invalid',
      'chunk_seal_broken',
      'chunk_id_mismatch',
      'chunk_unexpected',
      'snapshot_damaged',
      'key_file_damaged',
      'wrap_damaged',
      'pack_invalid',
      'pack_damaged',
      'pack_missing',
      'key_file_untrusted',
      'key_file_mismatch',
      'signature_invalid',
      'signer_untrusted',
      'snapshot_mac_invalid',
      'device_list_older',
      'device_list_missing',
    ]),
  ],
];

export function exitCodeOf(error: unknown): ExitCode {
  const code = codeOf(error);
  if (code === undefined) return EXIT.failed;
  if (code === 'interrupted' && (error as { data?: { signal?: string } }).data?.signal === 'SIGTERM')
    return EXIT.terminated;
  const family = FAMILIES.find(([, codes]) => codes.has(code));
  return family === undefined ? EXIT.failed : EXIT[family[0]];
}

/** The families' codes, so that a test can tell one that no package has any more. */
export const namedCodes = (): readonly string[] => FAMILIES.flatMap(([, codes]) => [...codes]);
