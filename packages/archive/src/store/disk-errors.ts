// What an error of the file system means to the caller of a store (blob-store.ts).

import { ArchiveError, type ArchiveErrorCode } from '../errors.ts';

const CODE_OF: Readonly<Record<string, ArchiveErrorCode>> = {
  ENOSPC: 'store_full',
  EDQUOT: 'store_full',
  EACCES: 'store_denied',
  EPERM: 'store_denied',
  EROFS: 'store_denied',
};

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** There is no file of this name: also when a part of its path is a file. */
export const isAbsent = (error: unknown): boolean => hasCode(error, 'ENOENT', 'ENOTDIR');

/** An error of a system call as the port knows it; anything else (a bug, an abort) as it is. */
export function diskError(error: unknown, name: string): unknown {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  const code = CODE_OF[(error as NodeJS.ErrnoException).code ?? ''] ?? 'store_unavailable';
  return new ArchiveError(code, { name, detail: error.message }, { cause: error });
}
