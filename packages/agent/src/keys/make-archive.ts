import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { generateArchiveKeys } from '@holdfast/archive/keys/archive-keys.ts';
import { generateIdentity, type Identity } from '@holdfast/archive/keys/identity.ts';
import { sealKeyFiles } from '@holdfast/archive/keys/key-file.ts';
import { allowsWrap, type KeyLevel } from '@holdfast/archive/keys/levels.ts';
import { wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import type { FillRandom } from './device-keys.ts';
import { putKeyFiles, wrapName } from './stored-keys.ts';

/**
 * A user's first device makes the archive: identity, archive keys, and what of both is kept beside the archive. The authority
 * lets nobody else in until all of it is stored and the escrow wrap, where the key level has one, was seen to open.
 */
export type NewArchive = { readonly keys: ArchiveKeys; readonly identity: Identity };

export async function makeArchive(fillRandom: FillRandom): Promise<NewArchive> {
  return { keys: generateArchiveKeys(fillRandom), identity: await generateIdentity(fillRandom) };
}

export type Recipients = {
  readonly level: KeyLevel;
  readonly device: string;
  readonly escrow: string;
};

export async function storeArchiveKeys(
  endpoint: Pick<ArchiveEndpoint, 'putKeyFile' | 'putIdentityWrap'>,
  { keys, identity }: NewArchive,
  { level, device, escrow }: Recipients,
  now: number,
  signal?: AbortSignal,
): Promise<void> {
  await putKeyFiles(endpoint, await sealKeyFiles(keys, identity.recipient, identity.signing, now), signal);
  const recipients = [device, ...(allowsWrap(level, 'escrow') ? [escrow] : [])];
  for (const recipient of recipients) {
    await endpoint.putIdentityWrap(wrapName(recipient), await wrapIdentity(identity, { recipient }), signal);
  }
}
