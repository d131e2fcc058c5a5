import { ArchiveError } from '@holdfast/archive/errors.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { WireError } from '@holdfast/protocol/storage-wire.ts';

/** Runs one exchange with a storage server; what it refuses comes back in the words of the endpoint's port. */
export async function inPortWords<T>(exchange: () => Promise<T>): Promise<T> {
  try {
    return await exchange();
  } catch (error) {
    if (error instanceof WireError) throw new ProtocolError('bad_reply', { cause: error });
    throw error instanceof ProtocolError ? translate(error) : error;
  }
}

function translate(error: ProtocolError): Error {
  const detail = typeof error.data?.['reason'] === 'string' ? error.data['reason'] : error.message;
  const cause = { cause: error };
  switch (error.code) {
    case 'session_ended':
      return new ArchiveError('session_ended', {}, cause);
    case 'links_missing':
      return new ArchiveError('links_missing', { ids: idsOf(error.data?.['ids']) }, cause);
    case 'pack_damaged':
      return new ArchiveError('pack_invalid', { record: 'pack', detail }, cause);
    case 'snapshot_refused':
      return new ArchiveError('format_invalid', { record: 'snapshot', detail }, cause);
    case 'chunk_moved':
      return new ArchiveError('chunk_moved', {}, cause);
    case 'pack_missing':
      return new ArchiveError('pack_missing', {}, cause);
    case 'conflict':
      return new ArchiveError('object_conflict', {}, cause);
    case 'name_invalid':
      return new ArchiveError('blob_name_invalid', {}, cause);
    default:
      return error;
  }
}

function idsOf(value: unknown): Uint8Array[] {
  if (!Array.isArray(value) || !value.every(isId))
    throw new ProtocolError('bad_reply', { message: 'links_missing came without its ids' });
  return value.map((hex) => Uint8Array.fromHex(hex));
}

const isId = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
