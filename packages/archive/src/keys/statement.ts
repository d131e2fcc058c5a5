// Making and checking signed statements (format §2.3). What a statement names as its signer is only a
// hint: the caller says which keys it trusts for this purpose, and no other passes.

import { ArchiveError } from '../errors.ts';
import { equalBytes } from '../format/ids.ts';
import { decodeReceipt, type Receipt } from '../format/receipt.ts';
import { decodeStatement, encodeStatement, LABEL, type Label } from '../format/statement.ts';
import { decodeTombstone, type Tombstone } from '../format/tombstone.ts';
import { type SigningKey, sign, verify } from './signing.ts';

export async function makeStatement(label: Label, body: Uint8Array, signer: SigningKey): Promise<Uint8Array> {
  return encodeStatement({ body, signature: await sign(signer, label, body), signer: signer.publicKey });
}

export type Opened = { readonly body: Uint8Array; readonly signer: Uint8Array };

/** `untrusted` is the code for a signer that is not among `trusted`. */
export async function openStatement(
  label: Label,
  bytes: Uint8Array,
  trusted: readonly Uint8Array[],
  untrusted: 'signer_untrusted' | 'key_file_untrusted' = 'signer_untrusted',
): Promise<Opened> {
  const { body, signature, signer } = decodeStatement(bytes);
  if (!trusted.some((key) => equalBytes(key, signer))) throw new ArchiveError(untrusted, { id: signer });
  await verify(signer, label, body, signature);
  return { body, signer };
}

/** `servers`: the receipt keys of the servers that this reader knows. */
export async function openReceipt(bytes: Uint8Array, servers: readonly Uint8Array[]): Promise<Receipt> {
  return decodeReceipt((await openStatement(LABEL.receipt, bytes, servers)).body);
}

export async function openTombstone(bytes: Uint8Array, servers: readonly Uint8Array[]): Promise<Tombstone> {
  return decodeTombstone((await openStatement(LABEL.tombstone, bytes, servers)).body);
}
