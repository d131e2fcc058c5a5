/**
 * Everything that can go wrong between two programs that speak the protocol.
 *
 * The server throws a `ProtocolError`, the envelope `{ error: { code, message, data?, retryable } }` carries it, the
 * client throws it again. Codes are for programs, messages for people; `data` belongs to the code. Whether a code is
 * worth another try is decided here, once.
 */

type Case = { readonly status: number; readonly retryable?: true; readonly advice: string };

const CASES = {
  // Any route
  invalid_request: { status: 400, advice: 'The request does not fit its schema; `data.issues` names each field.' },
  unauthenticated: { status: 401, advice: 'Sign in, or send the credential that this route asks for.' },
  forbidden: {
    status: 403,
    advice: 'The permission named in `data.permission` is missing; an administrator can grant it.',
  },
  unknown_route: { status: 404, advice: 'Check the path and the method; /api/openapi.json lists every route.' },
  not_found: { status: 404, advice: 'Nothing with this id exists, or you may not see it.' },
  conflict: { status: 409, advice: 'Somebody else changed it in the meantime; read it again and repeat your change.' },
  body_too_large: { status: 413, advice: 'Send at most `data.max` bytes.' },
  too_many_attempts: { status: 429, retryable: true, advice: 'Wait as long as Retry-After says, then try again.' },
  internal: {
    status: 500,
    retryable: true,
    advice: 'The server failed; its log has the details under the request id.',
  },
  busy: { status: 503, retryable: true, advice: 'The server has too much to do; try again after Retry-After.' },
  shutting_down: { status: 503, retryable: true, advice: 'The server is stopping; try again when it is back.' },
  // The client alone makes these
  unreachable: { status: 0, retryable: true, advice: 'Check the network, the address and whether the server runs.' },
  unavailable: {
    status: 0,
    retryable: true,
    advice:
      'The server, or a proxy in front of it, says with `data.status` that it cannot answer now. Try again after Retry-After; if it lasts, look at the proxy and whether the server runs.',
  },
  bad_reply: {
    status: 0,
    retryable: true,
    advice: 'The answer is not from a Holdfast server; check proxies in between.',
  },
  unknown_code: { status: 0, advice: 'A newer server answered `data.code`; upgrade this program.' },
  enrolment_string_invalid: {
    status: 0,
    advice: 'Copy the whole enrolment string: one line that begins with holdfast1:',
  },
  // Identity
  sign_in_failed: { status: 401, advice: 'User name or password is wrong.' },
  password_change_required: {
    status: 403,
    advice: 'This password is for one time: set one of your own, at enrolment or with `holdfast password`.',
  },
  password_too_weak: {
    status: 400,
    advice: 'Choose a password of at least `data.min` characters that is neither your user name nor the one before.',
  },
  user_blocked: { status: 403, advice: 'This user is blocked; an administrator can lift that.' },
  username_taken: { status: 409, advice: 'Choose another user name.' },
  registration_key_invalid: { status: 403, advice: 'Ask your administrator for the current enrolment string.' },
  sign_up_closed: {
    status: 403,
    advice: 'This organization does not let people sign up; ask your administrator for a user.',
  },
  device_revoked: { status: 401, advice: 'This device was removed; enrol it again.' },
  // Archive keys
  archive_missing: { status: 409, advice: 'This user has no archive yet; make its keys and register it.' },
  archive_exists: {
    status: 409,
    advice: 'Another device of this user made the archive; `data` describes it, ask for its identity.',
  },
  archive_not_ready: {
    status: 409,
    retryable: true,
    advice: 'The first device is still storing the keys; try again, or remove that device if it is gone.',
  },
  key_wrap_missing: { status: 409, advice: 'Store the wrap named in `data.name` before you register.' },
  key_wrap_unusable: {
    status: 422,
    advice: 'The wrap does not open to the identity that was registered; wrap it again.',
  },
  key_not_escrowed: {
    status: 403,
    advice: 'At this key level only the passphrase, the key file or another device opens the archive.',
  },
  renewal_not_due: {
    status: 409,
    advice:
      'Only at key level account, and after a device was removed, are keys renewed without the password of the account.',
  },
  key_level_lower: { status: 409, advice: 'A key level can be raised, never lowered.' },
  // Capabilities
  capability_invalid: {
    status: 401,
    advice: 'The capability is not one of this server; ask the authority for a new one.',
  },
  capability_expired: { status: 401, advice: 'The capability has run out; ask the authority for a new one.' },
  capability_revoked: { status: 401, advice: 'The device was removed or its rights changed; ask the authority again.' },
  // Storage
  archive_unknown: { status: 404, advice: 'This storage keeps no such archive; check the destination.' },
  session_ended: { status: 409, advice: 'Open a new session and ask again which chunks are present.' },
  links_missing: { status: 409, advice: 'Send the chunks whose ids stand in `data.ids`, then this pack again.' },
  chunk_moved: { status: 410, advice: 'The pack was rewritten; locate the chunk again.' },
  pack_missing: {
    status: 404,
    advice: 'Locate the chunk again; if that finds nothing, it is lost and the next backup sends it anew.',
  },
  pack_damaged: {
    status: 422,
    advice: 'The bytes do not form the pack they are named after; build and send it again.',
  },
  pack_retired: {
    status: 409,
    advice: 'A pack of this name was just removed; build the pack anew, which gives it another name.',
  },
  snapshot_refused: {
    status: 422,
    advice: 'The snapshot is not valid for this device and archive; `data.reason` says why.',
  },
  snapshot_retired: { status: 409, advice: 'Retention has retired this snapshot; its tombstone says when and why.' },
  object_missing: { status: 404, advice: 'The store point has no object of this name.' },
  name_invalid: { status: 400, advice: 'The name is not one that the archive format allows here.' },
  budget_spent: { status: 403, advice: 'The capability allowed fewer bytes than this; ask for another one.' },
  storage_full: { status: 507, retryable: true, advice: 'The store point is full; an administrator must add space.' },
} as const satisfies Record<string, Case>;

export type ProtocolCode = keyof typeof CASES;

/** What to do about each code, in one sentence. `docs/errors.md` lists the same codes. */
export const CODES = Object.fromEntries(Object.entries(CASES).map(([code, c]) => [code, c.advice])) as Readonly<
  Record<ProtocolCode, string>
>;

/** The HTTP status of a code; 0 for those that only a client makes. */
export const statusOf = (code: ProtocolCode): number => CASES[code].status;

export const isProtocolCode = (code: string): code is ProtocolCode => Object.hasOwn(CASES, code);

export type ErrorEnvelope = {
  error: { code: string; message: string; retryable: boolean; data?: Record<string, unknown> | undefined };
};

type Details = {
  readonly data?: Record<string, unknown> | undefined;
  readonly message?: string | undefined;
  readonly cause?: unknown;
  /** How long to wait before another try; becomes Retry-After. */
  readonly retryAfterMs?: number | undefined;
  /** Only for `unknown_code`, where the other side decides. */
  readonly retryable?: boolean | undefined;
};

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolCode;
  readonly data: Record<string, unknown> | undefined;
  readonly retryAfterMs: number | undefined;
  readonly status: number;
  readonly retryable: boolean;

  constructor(code: ProtocolCode, details: Details = {}) {
    super(details.message ?? CODES[code], { cause: details.cause });
    this.code = code;
    this.data = details.data;
    this.retryAfterMs = details.retryAfterMs;
    const { status, retryable } = CASES[code] as Case;
    this.status = status;
    this.retryable = details.retryable ?? retryable === true;
  }

  toEnvelope(): ErrorEnvelope {
    const { code, message, retryable, data } = this;
    return { error: data === undefined ? { code, message, retryable } : { code, message, retryable, data } };
  }
}
