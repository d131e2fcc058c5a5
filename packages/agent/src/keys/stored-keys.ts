import { createHash } from 'node:crypto';
import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError, reasonOf } from '@holdfast/archive/errors.ts';
import { equalBytes } from '@holdfast/archive/format/ids.ts';
import type { KeyFileBody } from '@holdfast/archive/format/key-file.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { combineKeyFiles } from '@holdfast/archive/keys/archive-keys.ts';
import type { Identity } from '@holdfast/archive/keys/identity.ts';
import { openKeyFile, type SealedKeyFile } from '@holdfast/archive/keys/key-file.ts';
import { identityBaseName, keyFileBaseName } from '@holdfast/archive/store/layout.ts';
import { type DamagedFile, describeDamage, fileOf } from '../archive/damaged-file.ts';
import { AgentError } from '../errors.ts';

/** Key files and wraps as they lie beside the archive, under the names of format §7. */

const hashOf = (recipient: string): Uint8Array => createHash('sha256').update(recipient).digest();

export const wrapName = (recipient: string): string => identityBaseName(hashOf(recipient));
export const keyFileName = ({ generation, recipient }: Pick<SealedKeyFile, 'generation' | 'recipient'>): string =>
  keyFileBaseName(generation, hashOf(recipient));

type Source = Pick<ArchiveEndpoint, 'archiveId' | 'keyFiles'>;

export type ReadableKeys = {
  readonly keys: ArchiveKeys;
  /** Key files for this identity that do not open, or are gone: what was sealed with their generations does not open either. */
  readonly damaged: readonly DamagedFile[];
};

/** The archive's keys, from all key files that are for this identity; every one of them has to open. */
export async function openArchiveKeys(
  endpoint: Source,
  identity: Identity,
  signal?: AbortSignal,
): Promise<ArchiveKeys> {
  const { keys, damaged } = await readArchiveKeys(endpoint, identity, signal);
  if (damaged.length > 0) throw keyFileDamaged(damaged);
  return keys;
}

/** As many of the keys as can be had, to read with: rejects when no key file for this identity opens. */
export async function readArchiveKeys(
  endpoint: Source,
  identity: Identity,
  signal?: AbortSignal,
): Promise<ReadableKeys> {
  const { archiveId } = endpoint;
  const mine = keyFilesOf(await endpoint.keyFiles(signal), identity);
  const damaged: DamagedFile[] = [];
  const opened: KeyFileBody[] = [];
  for (const { name, bytes } of mine) {
    try {
      opened.push(await openOwnKeyFile(bytes, identity, archiveId));
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      damaged.push({ file: fileOf(archiveId, 'keys', name), code: error.code, reason: reasonOf(error) });
    }
  }
  if (opened.length === 0 && damaged.length > 0) throw keyFileDamaged(damaged);
  const keys = combineKeyFiles(opened);
  return { keys, damaged: [...damaged, ...missingGenerations(keys, identity, damaged)] };
}

export const keyFilesOf = <T extends { readonly name: string }>(
  files: readonly T[],
  { recipient }: Pick<Identity, 'recipient'>,
): T[] => files.filter(({ name }) => name.endsWith(`-${wrapName(recipient)}`));

async function openOwnKeyFile(bytes: Uint8Array, identity: Identity, archiveId: Uint8Array): Promise<KeyFileBody> {
  const body = await openKeyFile(bytes, identity);
  if (!equalBytes(body.archiveId, archiveId)) throw new ArchiveError('wrong_archive', { record: 'key file' });
  return body;
}

/** Generations count from 1 without gaps, and whoever gets one gets all before it. */
function missingGenerations(
  { archiveId, contentKeys }: ArchiveKeys,
  { recipient }: Identity,
  told: readonly DamagedFile[],
): DamagedFile[] {
  const missing: DamagedFile[] = [];
  for (let generation = 1; generation < Math.max(...contentKeys.keys()); generation++) {
    const file = fileOf(archiveId, 'keys', keyFileName({ generation, recipient }));
    if (contentKeys.has(generation) || told.some((each) => each.file === file)) continue;
    missing.push({ file, code: 'blob_missing', reason: `It is gone, or does not hold generation ${generation}` });
  }
  return missing;
}

/** The name of the file says that it is for this identity: the key is right, the file is not. */
const keyFileDamaged = (damaged: readonly DamagedFile[]): AgentError =>
  new AgentError('key_file_damaged', { what: damaged.map(describeDamage).join('; '), data: { damagedFiles: damaged } });

export async function putKeyFiles(
  endpoint: Pick<ArchiveEndpoint, 'putKeyFile'>,
  files: readonly SealedKeyFile[],
  signal?: AbortSignal,
): Promise<void> {
  for (const file of files) await endpoint.putKeyFile(keyFileName(file), file.bytes, signal);
}
