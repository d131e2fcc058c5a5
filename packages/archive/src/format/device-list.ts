// The body of a device list's statement (format §2.6): whose signatures on snapshots count. A removed
// device keeps its line, so that its old snapshots stay verifiable.

import { isHybridRecipient } from './age-header.ts';
import type { CborValue } from './cbor.ts';
import { compareBytes, toHex } from './ids.ts';
import { encodeRecord, RecordReader } from './record.ts';

export type ListedDevice = {
  readonly deviceId: Uint8Array;
  /** Ed25519 */
  readonly publicKey: Uint8Array;
  /** `age1pq1...` */
  readonly recipient: string;
  readonly name: string;
  /** ms */
  readonly added: number;
  /** ms; null while the device is active. */
  readonly removed: number | null;
};

/** In the order of their numbers. */
export const KEY_LEVELS_LISTED = ['account', 'archive-password', 'custom-key'] as const;

export type DeviceList = {
  readonly archiveId: Uint8Array;
  /**
   * At which key level the identity that signs was made: it is never changed, so a reader needs nobody else's word for whom the
   * identity may be wrapped to. Absent in lists that do not say.
   */
  readonly level?: (typeof KEY_LEVELS_LISTED)[number] | undefined;
  /** Grows with each list; a reader never goes back to a lower one. */
  readonly counter: number;
  readonly devices: readonly ListedDevice[];
};

export function encodeDeviceList(list: DeviceList): Uint8Array {
  return encodeRecord(
    [[0, 1], [1, list.archiveId], [2, list.counter], [3, list.devices.map(deviceMap)], ...levelField(list)],
    decodeDeviceList,
  );
}

const levelField = ({ level }: DeviceList): [number, CborValue][] =>
  level === undefined ? [] : [[4, KEY_LEVELS_LISTED.indexOf(level)]];

function deviceMap(d: ListedDevice): CborValue {
  const fields: [number, CborValue][] = [
    [0, d.deviceId],
    [1, d.publicKey],
    [2, d.recipient],
    [3, d.name],
    [4, d.added],
  ];
  return new Map(d.removed === null ? fields : [...fields, [5, d.removed]]);
}

export function decodeDeviceList(bytes: Uint8Array): DeviceList {
  const r = RecordReader.of('device list', bytes, [1, 2, 3, 4]);
  const devices = r.list(3).map(readDevice);
  if (new Set(devices.map((d) => toHex(d.deviceId))).size !== devices.length) throw r.fail('a device is listed twice');
  const level = r.has(4) ? KEY_LEVELS_LISTED[r.uint(4, KEY_LEVELS_LISTED.length - 1)] : undefined;
  return { archiveId: r.bytes(1, 16), counter: r.uint(2), devices, ...(level && { level }) };
}

function readDevice(item: CborValue): ListedDevice {
  const r = new RecordReader('device list', item, [0, 1, 2, 3, 4, 5], null);
  const device = {
    deviceId: r.bytes(0, 16),
    publicKey: r.bytes(1, 32),
    recipient: r.text(2),
    name: r.text(3),
    added: r.uint(4),
    removed: r.has(5) ? r.uint(5) : null,
  };
  if (!isHybridRecipient(device.recipient)) throw r.fail('a recipient is not hybrid');
  return device;
}

/** In the order of their ids, so that the same devices give the same bytes. */
export function sortDevices(devices: readonly ListedDevice[]): ListedDevice[] {
  return [...devices].sort((a, b) => compareBytes(a.deviceId, b.deviceId));
}
