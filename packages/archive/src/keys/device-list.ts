// The signed list of a user's devices (format §2.6): the only source of the keys that snapshots are
// checked with. A reader remembers the highest counter it has seen and never goes back.

import { ArchiveError, reasonOf } from '../errors.ts';
import {
  type DeviceList,
  decodeDeviceList,
  encodeDeviceList,
  type ListedDevice,
  sortDevices,
} from '../format/device-list.ts';
import { equalBytes } from '../format/ids.ts';
import { LABEL } from '../format/statement.ts';
import type { SigningKey } from './signing.ts';
import { makeStatement, openStatement } from './statement.ts';

export type { DeviceList, ListedDevice } from '../format/device-list.ts';

export const emptyDeviceList = (archiveId: Uint8Array, level?: DeviceList['level']): DeviceList => ({
  archiveId,
  counter: 0,
  devices: [],
  ...(level && { level }),
});

/** The next list, with the device added. A known device keeps its place with its new keys and name. */
export function withDevice(list: DeviceList, device: Omit<ListedDevice, 'removed'>): DeviceList {
  const others = list.devices.filter((d) => !equalBytes(d.deviceId, device.deviceId));
  return { ...list, counter: list.counter + 1, devices: sortDevices([...others, { ...device, removed: null }]) };
}

/** The next list, with the device marked as removed at `now` (ms). */
export function withoutDevice(list: DeviceList, deviceId: Uint8Array, now: number): DeviceList {
  const device = deviceOf(list, deviceId);
  const devices = list.devices.map((d) => (d === device && d.removed === null ? { ...d, removed: now } : d));
  return { ...list, counter: list.counter + 1, devices };
}

/** Removed devices count too: their old snapshots stay verifiable. */
export function deviceOf(list: DeviceList, deviceId: Uint8Array): ListedDevice {
  const device = list.devices.find((d) => equalBytes(d.deviceId, deviceId));
  if (device === undefined) throw new ArchiveError('device_unknown', { id: deviceId });
  return device;
}

export function signDeviceList(list: DeviceList, signer: SigningKey): Promise<Uint8Array> {
  return makeStatement(LABEL.deviceList, encodeDeviceList(list), signer);
}

/** `identities`: public keys of the user's identity, and of earlier ones. `seen`: the highest counter known so far. */
export async function openDeviceList(
  bytes: Uint8Array,
  archiveId: Uint8Array,
  identities: readonly Uint8Array[],
  seen = 0,
): Promise<DeviceList> {
  const { body } = await openStatement(LABEL.deviceList, bytes, identities);
  const list = decodeDeviceList(body);
  if (!equalBytes(list.archiveId, archiveId)) throw new ArchiveError('wrong_archive', { record: 'device list' });
  if (list.counter < seen) throw new ArchiveError('device_list_older', { detail: `${list.counter} after ${seen}` });
  return list;
}

type StoredList = { readonly name: string; readonly bytes: Uint8Array };
export type RefusedList = { readonly name: string; readonly error: ArchiveError };
export type NewestDeviceList = { readonly list: DeviceList; readonly refused: readonly RefusedList[] };

/**
 * The newest of the lists that a store holds. Lists that do not verify are left out and told: a store can
 * add nonsense, but must not be able to hide the good ones behind it.
 */
export async function newestDeviceList(
  stored: readonly StoredList[],
  archiveId: Uint8Array,
  identities: readonly Uint8Array[],
  seen = 0,
): Promise<NewestDeviceList> {
  let newest: DeviceList | null = null;
  const refused: RefusedList[] = [];
  for (const { name, bytes } of stored) {
    try {
      const list = await openDeviceList(bytes, archiveId, identities);
      if (newest === null || list.counter > newest.counter) newest = list;
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      refused.push({ name, error });
    }
  }
  // One that an earlier identity signed is whole
  const last = refused.findLast(({ error }) => error.code !== 'signer_untrusted');
  const told = last && { record: `devices/${last.name}`, detail: reasonOf(last.error) };
  if (newest === null) throw new ArchiveError('device_list_missing', told, { cause: (last ?? refused.at(-1))?.error });
  if (newest.counter < seen)
    throw new ArchiveError('device_list_older', told ?? { detail: `${newest.counter} after ${seen}` });
  return { list: newest, refused };
}
