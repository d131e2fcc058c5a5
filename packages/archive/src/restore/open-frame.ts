/** Opening one frame of a range, and the messages between decode-pool.ts and its threads. */
import { writeSync } from 'node:fs';
import type { ArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { release } from '../crypto-node/release.ts';
import { ArchiveError, type ArchiveErrorCode, type ArchiveErrorData } from '../errors.ts';
import { NO_LINKS } from '../format/entry.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import { KIND, type Kind } from '../format/kinds.ts';
import type { OpenedChunk } from './chunk-reader.ts';
import type { FrameToOpen, Write, WriteResult } from './session-reader.ts';

export type PoolRequest =
  | { readonly kind: 'open'; readonly job: number; readonly range: Uint8Array; readonly frames: readonly FrameToOpen[] }
  /** A batch was dealt with. */
  | { readonly kind: 'taken' }
  /** The thread ends; it looks at `DecodeThread.closing` too while it opens frames. */
  | { readonly kind: 'close' };

/** Given to a thread at its start. */
export type DecodeThread = {
  readonly keys: ArchiveKeys;
  /** Shared; its word is not 0 once the thread has to end. */
  readonly closing: Int32Array;
};

export type PoolResponse = { readonly job: number; readonly opened: readonly OpenedMessage[]; readonly last: boolean };

/** Exactly one of `chunk` and `error`; with `written` the chunk's plaintext is empty. Errors lose their class between threads, so they travel as data. */
export type OpenedMessage = {
  readonly index: number;
  readonly chunk?: OpenedChunk;
  readonly written?: readonly WriteResult[];
  readonly error?: ErrorMessage;
};

type ErrorMessage = { readonly code: ArchiveErrorCode; readonly data: ArchiveErrorData; readonly reason: string };

/** A frame that does not open is an answer; any other failure is thrown. */
export function openFrame(crypto: Pick<ArchiveCrypto, 'open'>, range: Uint8Array, frame: FrameToOpen): OpenedMessage {
  const { chunk: index, at, length, id } = frame;
  try {
    const { entry, plaintext } = crypto.open(range.subarray(at, at + length), { id });
    const { kind } = entry;
    if (frame.writes === undefined || !isContent(kind))
      return { index, chunk: { kind, id, links: entry.links.slice(), plaintext } };
    const written = frame.writes.map((write) => writeOut(plaintext, write));
    release(plaintext);
    return { index, chunk: { kind, id, links: NO_LINKS, plaintext: NOTHING }, written };
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return { index, error: { code: error.code, data: ownData(error.data), reason: error.message } };
  }
}

/** An id in an error lies in the range, which is given back before the answer leaves, and would travel whole with it. */
const ownData = (data: ArchiveErrorData): ArchiveErrorData =>
  data.id === undefined ? data : { ...data, id: new Uint8Array(data.id) };

/** Only such chunks may be read as content of files (format §3.1). */
export const isContent = (kind: Kind): boolean => kind === KIND.data || kind === KIND.bundle;

const NOTHING = new Uint8Array(0);

function writeOut(plaintext: Uint8Array, { fd, from, length, position }: Write): WriteResult {
  if (from + length > plaintext.length) return 'short';
  try {
    for (let done = 0; done < length; ) done += writeSync(fd, plaintext, from + done, length - done, position + done);
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== 'string') throw error;
    return code;
  }
}

export function answerOf({ chunk, error }: OpenedMessage): OpenedChunk | ArchiveError {
  if (chunk !== undefined) return chunk;
  if (error === undefined) throw new Error('A thread answered neither chunk nor error.');
  return new ArchiveError(error.code, error.data, { cause: error.reason });
}

/** The memory behind the bytes, to be handed over rather than copied, when hardly anything else lies in it. */
export function transferable({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  const waste = buffer.byteLength - byteLength;
  return buffer instanceof ArrayBuffer && byteLength > 4096 && waste <= 1024 + byteLength / 4 ? [buffer] : [];
}
