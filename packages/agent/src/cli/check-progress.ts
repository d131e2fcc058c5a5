import type { CheckCounts } from '@holdfast/archive/check/check-archive.ts';
import { newestOfEachSet } from '../archive/choose.ts';
import type { Snapshot } from '../archive/snapshots.ts';
import type { ProgressState } from './progress.ts';

/**
 * How far a check has come. How much there is becomes known only while it is met, so it is estimated by what the newest
 * snapshots say that they hold; once there turns out to be more, in older ones, no share is told rather than a wrong one.
 */
export type Expected =
  /** Content is opened, which takes longest: its bytes count. */
  | { readonly kind: 'content'; readonly bytes: number }
  /** Only the structure is opened. */
  | { readonly kind: 'structure'; readonly directories: number };

export function expectedOf(snapshots: readonly Snapshot[], readData: boolean): Expected {
  const counts = newestOfEachSet(snapshots).map(({ description }) => description.counts);
  const sum = (what: 'bytes' | 'directories') => counts.reduce((all, each) => all + each[what], 0);
  return readData ? { kind: 'content', bytes: sum('bytes') } : { kind: 'structure', directories: sum('directories') };
}

export function progressOf(counts: CheckCounts, expected: Expected): ProgressState {
  const { structure, contentRead, contentBytes, bytes } = counts;
  switch (expected.kind) {
    case 'content': {
      const bytesTotal = contentBytes <= expected.bytes ? expected.bytes : null;
      return {
        bytesDone: contentBytes,
        bytesTotal,
        itemsDone: structure + contentRead,
        itemsTotal: null,
        unit: 'chunks',
      };
    }
    case 'structure': {
      const itemsTotal = structure <= expected.directories ? expected.directories : null;
      return { bytesDone: bytes, bytesTotal: null, itemsDone: structure, itemsTotal, unit: 'chunks' };
    }
    default:
      return expected satisfies never;
  }
}
