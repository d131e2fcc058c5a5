// format §6.2: what the store says about a snapshot it has taken in. Retention counts by `received`.

import { encodeRecord, RecordReader } from './record.ts';

export type Receipt = {
  readonly archiveId: Uint8Array;
  readonly snapshotId: Uint8Array;
  /** ms, by the server's clock. */
  readonly received: number;
  readonly serverId: Uint8Array;
};

export function encodeReceipt(r: Receipt): Uint8Array {
  return encodeRecord(
    [
      [0, 1],
      [1, r.archiveId],
      [2, r.snapshotId],
      [3, r.received],
      [4, r.serverId],
    ],
    decodeReceipt,
  );
}

export function decodeReceipt(bytes: Uint8Array): Receipt {
  const r = RecordReader.of('receipt', bytes, [1, 2, 3, 4]);
  return { archiveId: r.bytes(1, 16), snapshotId: r.bytes(2, 32), received: r.uint(3), serverId: r.bytes(4, 16) };
}
