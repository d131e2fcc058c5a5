// The rule for names of blobs (blob-store.ts). It is checked before any name reaches a medium: what comes from a client or
// a listing must not leave the folder of the store.

import { ArchiveError } from '../errors.ts';

const SEGMENT = '[a-z0-9_-][a-z0-9._-]{0,127}';
const NAME = new RegExp(`^${SEGMENT}(?:/${SEGMENT})*$`);
const PREFIX = new RegExp(`^(?:${SEGMENT}/)*(?:${SEGMENT})?$`);
const MAX_LENGTH = 512;
/** The folder of unfinished writes, which no name reaches. */
export const TEMPORARY = 'tmp';

export function isBlobName(name: string): boolean {
  return name.length <= MAX_LENGTH && NAME.test(name) && !inTemporary(name);
}

const inTemporary = (name: string): boolean => name === TEMPORARY || name.startsWith(`${TEMPORARY}/`);

/** Throws `blob_name_invalid`. */
export function checkBlobName(name: string): void {
  if (!isBlobName(name)) throw new ArchiveError('blob_name_invalid', { name });
}

/** Throws `blob_name_invalid` for what no name can begin with. */
export function checkBlobPrefix(prefix: string): void {
  if (prefix.length > MAX_LENGTH || !PREFIX.test(prefix) || prefix.startsWith(`${TEMPORARY}/`))
    throw new ArchiveError('blob_name_invalid', { name: prefix });
}
