/** Device lists (format §2.6): whose signature a snapshot may bear. */
import type { Value } from './cbor.ts';
import { bodyOf, field, id16, id32, list, mapOf, optional, text, uint } from './fields.ts';
import { demand } from './refusal.ts';

export interface Device {
  readonly deviceId: Buffer;
  readonly publicKey: Buffer;
  readonly recipient: string;
  readonly name: string;
  readonly addedMs: number;
  readonly removedMs: number | undefined;
}

export interface DeviceList {
  readonly archiveId: Buffer;
  readonly counter: number;
  readonly devices: readonly Device[];
}

function parseDevice(value: Value): Device {
  const map = mapOf(value, [0, 1, 2, 3, 4, 5]);
  return {
    deviceId: id16(field(map, 0)),
    publicKey: id32(field(map, 1)),
    recipient: text(field(map, 2)),
    name: text(field(map, 3)),
    addedMs: uint(field(map, 4)),
    removedMs: optional(map, 5, (removed) => uint(removed)),
  };
}

/** The body of a statement; the caller checked its signature. */
export function parseDeviceList(body: Buffer): DeviceList {
  const map = bodyOf(body, [1, 2, 3, 4]);
  const devices = list(field(map, 3)).map(parseDevice);
  const ids = new Set(devices.map(({ deviceId }) => deviceId.toString('hex')));
  demand(ids.size === devices.length, 'malformed', 'a device that stands twice in the list');
  demand((optional(map, 4, (level) => uint(level)) ?? 0) <= 2, 'malformed', 'a key level that there is not');
  return { archiveId: id16(field(map, 1)), counter: uint(field(map, 2)), devices };
}
