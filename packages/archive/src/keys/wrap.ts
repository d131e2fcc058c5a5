// How an identity is kept where its owner can get at it (format §2.5): wrapped to a device, to the
// organization's escrow recipient, or to a password.

import { ArchiveError } from '../errors.ts';
import { ascii } from '../format/bytes.ts';
import { equalBytes } from '../format/ids.ts';
import { openWithIdentity, openWithPassphrase, sealToPassphrase, sealToRecipient } from './age-file.ts';
import { formatIdentity, type Identity, type PublicIdentity, parseIdentity } from './identity.ts';

export type WrapFor = { readonly recipient: string } | { readonly passphrase: string };
export type WrapKey = { readonly ageIdentity: string } | { readonly passphrase: string };

export async function wrapIdentity(identity: Identity, to: WrapFor): Promise<Uint8Array> {
  const text = ascii(formatIdentity(identity));
  return 'passphrase' in to ? sealToPassphrase(text, to.passphrase) : sealToRecipient(text, to.recipient);
}

/**
 * Anybody can wrap an identity of their own to a device's recipient, a hostile store too. So a reader that
 * knows its user's public identity says so, and gets that identity or none.
 */
export async function unwrapIdentity(bytes: Uint8Array, key: WrapKey, known?: PublicIdentity): Promise<Identity> {
  const text =
    'passphrase' in key
      ? await openWithPassphrase(bytes, key.passphrase)
      : await openWithIdentity(bytes, key.ageIdentity, 'wrap_unopenable');
  const identity = await parseIdentity(new TextDecoder().decode(text));
  if (known !== undefined && !isSame(identity, known)) throw new ArchiveError('identity_changed');
  return identity;
}

/** The first of several wraps that opens to the identity that is known; rejects as the first does when none does. */
export async function unwrapAny(wraps: readonly Uint8Array[], key: WrapKey, known?: PublicIdentity): Promise<Identity> {
  const failures: ArchiveError[] = [];
  for (const bytes of wraps) {
    try {
      return await unwrapIdentity(bytes, key, known);
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      failures.push(error);
    }
  }
  throw failures[0] ?? new ArchiveError('wrap_unopenable');
}

const isSame = (identity: Identity, known: PublicIdentity): boolean =>
  identity.recipient === known.recipient && equalBytes(identity.signing.publicKey, known.publicKey);
