/** What the server adds to a snapshot and leaves of it (format §6.2, §6.3); a restore needs neither. */
import { bodyOf, field, id16, id32, text, uint } from './fields.ts';
import { demand } from './refusal.ts';

export interface Receipt {
  readonly archiveId: Buffer;
  readonly snapshotId: Buffer;
  readonly receivedMs: number;
  readonly serverId: Buffer;
}

export interface Tombstone {
  readonly archiveId: Buffer;
  readonly snapshotId: Buffer;
  readonly deviceId: Buffer;
  readonly setId: Buffer;
  readonly destinationId: Buffer;
  readonly sequence: number;
  readonly receivedMs: number;
  readonly reason: string;
  readonly retiredMs: number;
}

const REASONS = ['retention', 'partial', 'purge'];

export function parseReceipt(body: Buffer): Receipt {
  const map = bodyOf(body, [1, 2, 3, 4]);
  return {
    archiveId: id16(field(map, 1)),
    snapshotId: id32(field(map, 2)),
    receivedMs: uint(field(map, 3)),
    serverId: id16(field(map, 4)),
  };
}

export function parseTombstone(body: Buffer): Tombstone {
  const map = bodyOf(body, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const reason = text(field(map, 8));
  demand(REASONS.includes(reason), 'malformed', `retired for ${reason}`);
  return {
    archiveId: id16(field(map, 1)),
    snapshotId: id32(field(map, 2)),
    deviceId: id16(field(map, 3)),
    setId: id16(field(map, 4)),
    destinationId: id16(field(map, 5)),
    sequence: uint(field(map, 6)),
    receivedMs: uint(field(map, 7)),
    reason,
    retiredMs: uint(field(map, 9)),
  };
}
