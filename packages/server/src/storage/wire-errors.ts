// What storage code throws, as the protocol says it.

import { ArchiveError, type ArchiveErrorCode } from '@holdfast/archive/errors.ts';
import { type ProtocolCode, ProtocolError } from '@holdfast/protocol/errors.ts';
import { WireError } from '@holdfast/protocol/storage-wire.ts';
import { isIndexFull } from './index/open-index.ts';

const CODES: Partial<Record<ArchiveErrorCode, ProtocolCode>> = {
  store_full: 'storage_full',
  store_unavailable: 'busy',
  blob_missing: 'object_missing',
  blob_name_invalid: 'name_invalid',
};

/** Anything else stays what it is, and becomes `internal`. */
export function asProtocolError(error: unknown): unknown {
  if (error instanceof ArchiveError) {
    const code = CODES[error.code];
    return code === undefined ? error : new ProtocolError(code, { cause: error });
  }
  if (error instanceof WireError)
    return new ProtocolError('invalid_request', { message: `The body is not as it should be: ${error.message}.` });
  if (isIndexFull(error)) return new ProtocolError('storage_full', { cause: error });
  if (isHangUp(error))
    return new ProtocolError('invalid_request', { message: 'The body ended before its length.', cause: error });
  return error;
}

/** What Node gives who reads the body of a caller that hung up. */
const isHangUp = (error: unknown): boolean =>
  error instanceof Error &&
  ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '');
