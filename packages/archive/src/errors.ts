// The one error class of the archive engine. CODES names every way it can refuse or fail, with the
// sentence that tells a person what to do; docs/errors.md repeats the same codes for readers.

export const CODES = {
  format_invalid:
    'The bytes are not a record of this kind, or are damaged. Run `holdfast check` on the archive; another copy may be whole.',
  unknown_version: 'A newer program wrote this record. Upgrade this program and try again.',
  value_invalid:
    'A value that the format cannot hold was about to be written, and nothing was stored. Please report this with the log.',
  chunk_too_large: 'The chunk is larger than the format allows. Please report this with the log.',
  chunk_seal_broken:
    'The sealed bytes do not open with the keys of this archive: they are damaged, or belong to another archive. Run `holdfast check`.',
  chunk_id_mismatch:
    'The opened content is not what its name promises: it is damaged, or was planted. Run `holdfast check`; the next backup stores it again.',
  chunk_unexpected: 'A chunk of another kind or name came than the one that was asked for. Run `holdfast check`.',
  pack_invalid:
    'The pack does not agree with itself: it is damaged, or was not made by this program. Run `holdfast check`.',
  wrong_archive: 'The record belongs to another archive. Choose the archive it belongs to.',
  generation_unknown:
    'The content key of this generation is not among the keys at hand. Fetch the key files again, or use an identity that can open them.',
  identity_invalid: 'The text is no Holdfast identity. Use the file exactly as it was exported.',
  recipient_not_hybrid:
    'Only hybrid post-quantum recipients (age1pq1...) are allowed. A single classical recipient would give up what the others protect.',
  identity_changed:
    'The identity is another than the one this device knows. Do not use it; compare the words on both devices, or tell the administrator.',
  key_file_unopenable:
    'The key file does not open with this identity. Use the identity it was wrapped for, or wrap the archive keys again.',
  key_file_untrusted:
    'The key file is not signed by this identity or by one that was pinned. Do not use it; compare the fingerprint with its owner first.',
  key_file_mismatch:
    'The key files of this archive contradict each other or name another recipient. Do not use them; tell the administrator.',
  passphrase_wrong: 'The password does not open the identity. Try again; capitals and spaces count.',
  wrap_unopenable: 'The wrapped identity does not open with this key. Use the key it was wrapped for.',
  signature_invalid:
    'The signature does not fit the record: it was changed, or is not from the one it names. Do not use it.',
  signer_untrusted: 'The record is signed by a key that is not trusted for this purpose. Do not use it.',
  snapshot_mac_invalid:
    'The snapshot was not made by a holder of the archive keys. It is left out; tell the administrator.',
  device_unknown:
    'The device is not in the signed device list of this archive. Fetch the newest list, or enrol the device again.',
  device_list_missing:
    'The store holds no device list that this identity signed, so no snapshot can be verified. Start a backup on a device, or use the right identity.',
  device_list_older:
    'The store offers an older device list than the one already seen. It is refused; tell the administrator.',
  blob_missing:
    'The object is not in the store. If it was there before, run `holdfast check`; another destination may hold it.',
  blob_short:
    'The object in the store is shorter than it was written. Run `holdfast check`; the next backup stores what was lost.',
  blob_name_invalid: 'The name cannot be used in a store. Please report this with the log.',
  store_missing: 'There is no store at this place. Check the path, and that the drive is connected and mounted.',
  store_full: 'The store has no space left. Free some or add a store; the work goes on by itself afterwards.',
  store_unavailable:
    'The store does not answer as it should. Check drive or network; the work is tried again by itself.',
  store_denied:
    'The store refuses access. Check the permissions of its folder or bucket and whether it is mounted read-only.',
  session_ended: 'The session on the archive has ended. A new one is opened by itself; nothing that was sent is lost.',
  links_missing:
    'The store lacks chunks that were about to be referred to, so it stored nothing. They are sent again by themselves; if it persists run `holdfast check`.',
  chunk_missing:
    'The chunk is nowhere in the archive. Run `holdfast check`; the next backup stores it again if the file is unchanged.',
  chunk_moved: 'The pack was rewritten meanwhile. Its chunks are looked up again by themselves.',
  pack_missing:
    'The pack is gone from the store or cut short. Run `holdfast check`; the next backup stores again what it can.',
  object_conflict: 'Another object of this name is stored already and is not replaced. Read it first, then decide.',
  policy_invalid: 'The retention policy cannot be used; nothing was retired. Correct the value that is named.',
  target_full:
    'The place that is restored to has no space left. Free some and run the same restore again: it goes on where it stopped.',
  target_unusable:
    'The place that is restored to cannot be used. Check the path, its permissions and the drive, and run the same restore again.',
} as const;

export type ArchiveErrorCode = keyof typeof CODES;

/** What an error may carry beside its code. Ids are binary, names and numbers are for people. */
export type ArchiveErrorData = {
  readonly record?: string;
  readonly detail?: string;
  readonly version?: number;
  readonly id?: Uint8Array;
  readonly ids?: readonly Uint8Array[];
  readonly generation?: number;
  readonly name?: string;
  readonly size?: number;
};

/** Codes after which the same call can succeed later without anybody changing anything. */
const RETRYABLE: ReadonlySet<ArchiveErrorCode> = new Set<ArchiveErrorCode>([
  'store_full',
  'store_unavailable',
  'chunk_moved',
]);

export class ArchiveError extends Error {
  readonly code: ArchiveErrorCode;
  readonly data: ArchiveErrorData;
  readonly retryable: boolean;

  constructor(
    code: ArchiveErrorCode,
    data: ArchiveErrorData = {},
    options: { readonly cause?: unknown; readonly retryable?: boolean } = {},
  ) {
    const what = [data.record, data.detail].filter(Boolean).join(': ');
    super(what === '' ? CODES[code] : `${what}. ${CODES[code]}`, 'cause' in options ? { cause: options.cause } : {});
    this.name = 'ArchiveError';
    this.code = code;
    this.data = data;
    this.retryable = options.retryable ?? RETRYABLE.has(code);
  }
}

/** What is wrong, without the advice: the first sentence. */
export const reasonOf = ({ message }: ArchiveError): string => message.split('. ', 1)[0] ?? message;

/** The bytes of `record` break the format. */
export function invalid(record: string, detail: string): ArchiveError {
  return new ArchiveError('format_invalid', { record, detail });
}

/** format §9: a version this reader does not know. */
export function unknownVersion(record: string, version: number): ArchiveError {
  return new ArchiveError('unknown_version', { record, version, detail: `version ${version}` });
}

/** A caller asks for bytes that the format does not have. */
export function unencodable(record: string, detail: string): ArchiveError {
  return new ArchiveError('value_invalid', { record, detail });
}
