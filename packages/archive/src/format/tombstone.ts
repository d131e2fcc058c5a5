// format §6.3: what stays of a retired snapshot for 30 days, so that devices can recompute the plan and
// report a retirement that it does not explain.

import { encodeRecord, RecordReader } from './record.ts';

export const TOMBSTONE_REASONS = ['retention', 'partial', 'purge'] as const;
export type TombstoneReason = (typeof TOMBSTONE_REASONS)[number];

export type Tombstone = {
  readonly archiveId: Uint8Array;
  readonly snapshotId: Uint8Array;
  readonly deviceId: Uint8Array;
  readonly setId: Uint8Array;
  readonly destinationId: Uint8Array;
  readonly sequence: number;
  /** ms */
  readonly received: number;
  readonly reason: TombstoneReason;
  /** ms */
  readonly retired: number;
};

export function encodeTombstone(t: Tombstone): Uint8Array {
  return encodeRecord(
    [
      [0, 1],
      [1, t.archiveId],
      [2, t.snapshotId],
      [3, t.deviceId],
      [4, t.setId],
      [5, t.destinationId],
      [6, t.sequence],
      [7, t.received],
      [8, t.reason],
      [9, t.retired],
    ],
    decodeTombstone,
  );
}

export function decodeTombstone(bytes: Uint8Array): Tombstone {
  const r = RecordReader.of('tombstone', bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const reason = TOMBSTONE_REASONS.find((known) => known === r.text(8));
  if (reason === undefined) throw r.fail('unknown reason');
  return {
    archiveId: r.bytes(1, 16),
    snapshotId: r.bytes(2, 32),
    deviceId: r.bytes(3, 16),
    setId: r.bytes(4, 16),
    destinationId: r.bytes(5, 16),
    sequence: r.uint(6),
    received: r.uint(7),
    reason,
    retired: r.uint(9),
  };
}
