import { createHash } from 'node:crypto';
import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { combineKeyFiles } from '@holdfast/archive/keys/archive-keys.ts';
import type { Identity } from '@holdfast/archive/keys/identity.ts';
import { openKeyFile, type SealedKeyFile } from '@holdfast/archive/keys/key-file.ts';
import { identityBaseName, keyFileBaseName } from '@holdfast/archive/store/layout.ts';

/** Key files and wraps as they lie beside the archive, under the names of format §7. */

const hashOf = (recipient: string): Uint8Array => createHash('sha256').update(recipient).digest();

export const wrapName = (recipient: string): string => identityBaseName(hashOf(recipient));
export const keyFileName = ({ generation, recipient }: Pick<SealedKeyFile, 'generation' | 'recipient'>): string =>
  keyFileBaseName(generation, hashOf(recipient));

/** The archive's keys, from all key files that are for this identity. */
export async function openArchiveKeys(
  endpoint: Pick<ArchiveEndpoint, 'keyFiles'>,
  identity: Identity,
  signal?: AbortSignal,
): Promise<ArchiveKeys> {
  const mine = (await endpoint.keyFiles(signal)).filter(({ name }) =>
    name.endsWith(`-${wrapName(identity.recipient)}`),
  );
  return combineKeyFiles(await Promise.all(mine.map(({ bytes }) => openKeyFile(bytes, identity))));
}

export async function putKeyFiles(
  endpoint: Pick<ArchiveEndpoint, 'putKeyFile'>,
  files: readonly SealedKeyFile[],
  signal?: AbortSignal,
): Promise<void> {
  for (const file of files) await endpoint.putKeyFile(keyFileName(file), file.bytes, signal);
}
