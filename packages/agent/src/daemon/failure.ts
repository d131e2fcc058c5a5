import { AgentError, codeOf } from '../errors.ts';
import type { RunFailure } from '../state/run-record.ts';

/** What a failed run means for the next one. */

const DISK_FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'SQLITE_FULL']);
const OFFLINE: ReadonlySet<string> = new Set([
  'offline',
  'unreachable',
  'unavailable',
  'shutting_down',
  'store_unavailable',
]);

/** Our own disk is full: said as such, whoever noticed it. A full server says `storage_full`. */
export function explainFailure(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (DISK_FULL.has(codeOf(cause) ?? '')) return new AgentError('disk_full', { what: cause.message, cause: error });
  }
  return error;
}

/** The run did not fail, the server is away. */
export const isOffline = (code: string): boolean => OFFLINE.has(code);

export function failureOf(error: unknown, at: number, before: RunFailure | null): RunFailure {
  const explained = explainFailure(error);
  const code = codeOf(explained) ?? 'internal';
  const message = explained instanceof Error ? explained.message : String(explained);
  return { code, message, at, count: (before?.code === code ? before.count : 0) + 1 };
}
