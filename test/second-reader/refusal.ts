/** Why the reader refuses something, as a word that tests can compare. */
export type Reason =
  | 'malformed'
  | 'unknown_version'
  | 'unknown_key'
  | 'wrong_archive'
  | 'wrong_recipient'
  | 'untrusted_signer'
  | 'bad_signature'
  | 'bad_mac'
  | 'bad_seal'
  | 'unknown_generation'
  | 'chunk_id_mismatch'
  | 'wrong_kind'
  | 'bad_pack'
  | 'bad_name'
  | 'missing';

export class Refusal extends Error {
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Refusal';
    this.reason = reason;
  }
}

export function demand(condition: boolean, reason: Reason, message: string): asserts condition {
  if (!condition) throw new Refusal(reason, message);
}
