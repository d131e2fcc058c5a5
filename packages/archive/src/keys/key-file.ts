// How the keys of an archive travel (format §2.4). Nouns: *archive keys*, the *key file* that carries one
// generation of them to one recipient, the *signer* who vouches for it.
//
//   seal: body -> statement signed by the identity that wraps -> age file for the recipient
//   open: header hybrid only -> age -> statement of a trusted signer -> recipient is who opened it
//   then  combineKeyFiles compares the generations
//
// Without the signer a server could hand out keys of its own and read what is sealed with them.

import { ArchiveError } from '../errors.ts';
import { decodeKeyFileBody, encodeKeyFileBody, type KeyFileBody } from '../format/key-file.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import { LABEL } from '../format/statement.ts';
import { openWithIdentity, sealToRecipient } from './age-file.ts';
import type { Identity } from './identity.ts';
import type { SigningKey } from './signing.ts';
import { makeStatement, openStatement } from './statement.ts';

/** A key file as it is stored; its name is made of generation and recipient (format §7). */
export type SealedKeyFile = { readonly generation: number; readonly recipient: string; readonly bytes: Uint8Array };

/** `now`: ms. */
export async function sealKeyFile(
  keys: ArchiveKeys,
  generation: number,
  recipient: string,
  signer: SigningKey,
  now: number,
): Promise<Uint8Array> {
  const contentKey = keys.contentKeys.get(generation);
  if (contentKey === undefined) throw new ArchiveError('generation_unknown', { generation });
  const { archiveId, idKey, chunkerKey, dataParams, bundleParams } = keys;
  const body = { archiveId, generation, idKey, chunkerKey, contentKey, dataParams, bundleParams, recipient };
  const statement = await makeStatement(LABEL.keyFile, encodeKeyFileBody({ ...body, created: now }), signer);
  return sealToRecipient(statement, recipient);
}

/** All generations, for a recipient that is new. */
export async function sealKeyFiles(
  keys: ArchiveKeys,
  recipient: string,
  signer: SigningKey,
  now: number,
): Promise<SealedKeyFile[]> {
  const files: SealedKeyFile[] = [];
  for (const generation of keys.contentKeys.keys())
    files.push({ generation, recipient, bytes: await sealKeyFile(keys, generation, recipient, signer, now) });
  return files;
}

/** Who opens: a user's identity, a device, or a page with a key of the moment. */
export type Holder = Pick<Identity, 'ageIdentity' | 'recipient'> & { readonly signing?: Pick<SigningKey, 'publicKey'> };

/** `pinned`: signers that this reader took note of before. The holder's own signature always counts. */
export async function openKeyFile(
  bytes: Uint8Array,
  holder: Holder,
  pinned: readonly Uint8Array[] = [],
): Promise<KeyFileBody & { readonly signer: Uint8Array }> {
  const statement = await openWithIdentity(bytes, holder.ageIdentity, 'key_file_unopenable');
  const trusted = holder.signing === undefined ? pinned : [holder.signing.publicKey, ...pinned];
  const { body, signer } = await openStatement(LABEL.keyFile, statement, trusted, 'key_file_untrusted');
  const keyFile = decodeKeyFileBody(body);
  if (keyFile.recipient !== holder.recipient)
    throw new ArchiveError('key_file_mismatch', { detail: 'it names another recipient than the one that opened it' });
  return { ...keyFile, signer };
}
