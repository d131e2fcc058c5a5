/**
 * What the server tells the person who runs it: at start, on its command line, in its log. What it tells a program over
 * the wire is a `ProtocolError`.
 */
export const CODES = {
  config_invalid: 'Correct the setting named in the message; `holdfast-server start --help` lists all.',
  data_in_use: 'Another server runs on this data folder; stop it first.',
  port_in_use: 'Another program listens on this port; stop it or choose another with --port-base.',
  keystore_missing: 'This data folder holds no server yet; run "holdfast-server start" once.',
  keystore_damaged: 'A file of the keystore is missing or unreadable; restore it with "holdfast-server recover".',
  database_newer: 'A newer version wrote this database; run that version or a newer one.',
  migration_failed: 'The database is as it was before; the cause says which step failed.',
  kit_missing:
    'Run "holdfast-server kit new" on a terminal and keep the words it shows; without a kit there are no dumps.',
  kit_confirmed:
    'There is a kit whose words somebody has proved to keep. If they are lost, or the kit is, "kit new --replace" makes another one; dumps made until then still need the old one.',
  kit_wrong_words: 'The words do not open this kit; check their spelling and order.',
  kit_damaged: 'The file is not a whole recovery kit; use another copy.',
  kit_foreign: 'This kit was made by another server, or a newer kit has replaced it; use the newest one.',
  kit_opens_none:
    'None of these files is wrapped to the escrow of this kit: name all identities of the archive, or the archive is above key level account.',
  dump_damaged: 'The dump is cut off or changed; use another one.',
  dump_newer: 'A newer version wrote this dump; recover with that version or a newer one.',
  dump_foreign:
    'This kit does not open the dump: it was made with another kit of this server, or by another server. Use the kit that was the newest when the dump was made.',
  dump_older_than_kit:
    'The dump is older than this kit. If both are of one server, an earlier kit opens it, with its own words: "kit new" has kept that as recovery-kit.age.until-TIME. Use it, or a newer dump.',
  recover_not_empty: 'The target holds a server already; recover into an empty data folder and an empty database.',
  recover_unfinished:
    'A recovery was cut off here: repeat "holdfast-server recover" with kit and dump; it begins again by itself.',
  maintenance_held:
    'Retention and collect are off since a recovery: look at the archives, then run "holdfast-server maintain --enable".',
  user_missing: 'No user has this name.',
  device_missing: 'No active device has this id or GUID; `holdfast-server device list` shows all.',
  audit_broken: 'The audit log was changed behind the server; compare it with an older dump.',
} as const;

export type ServerCode = keyof typeof CODES;

type Details = {
  readonly message?: string | undefined;
  readonly data?: Record<string, unknown> | undefined;
  readonly cause?: unknown;
};

export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly code: ServerCode;
  readonly data: Record<string, unknown> | undefined;
  readonly retryable = false;

  constructor(code: ServerCode, details: Details = {}) {
    super(details.message ?? CODES[code], { cause: details.cause });
    this.code = code;
    this.data = details.data;
  }
}
