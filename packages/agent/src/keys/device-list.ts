import type { ArchiveEndpoint, NamedObject } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { decodeDeviceList } from '@holdfast/archive/format/device-list.ts';
import { equalBytes, toHex } from '@holdfast/archive/format/ids.ts';
import { decodeStatement } from '@holdfast/archive/format/statement.ts';
import {
  type DeviceList,
  emptyDeviceList,
  type ListedDevice,
  newestDeviceList,
  signDeviceList,
  withDevice,
} from '@holdfast/archive/keys/device-list.ts';
import type { Identity } from '@holdfast/archive/keys/identity.ts';
import type { KeyLevel } from '@holdfast/archive/keys/levels.ts';
import { AgentError, butKnown } from '../errors.ts';
import type { Home } from '../state/home.ts';
import { rememberDeviceList, seenDeviceList } from '../state/trust.ts';

/**
 * The signed list of the user's devices: what snapshots are checked against, and who gets the identity when it changes. The
 * server's own list of devices is never used for that: it could name one of its own.
 */
type Lists = Pick<ArchiveEndpoint, 'archiveId' | 'deviceLists' | 'putDeviceList'>;

/** Devices of one user may enrol at the same moment; each then finds its counter taken. */
const TRIES = 5;

/** The newest list that the identity signed, never older than one this device has seen; `null` where there is none yet. */
export async function readDeviceList(
  home: Home,
  endpoint: Lists,
  identity: Pick<Identity, 'signing'>,
  signal?: AbortSignal,
): Promise<DeviceList | null> {
  const archive = toHex(endpoint.archiveId);
  const stored = await endpoint.deviceLists(signal);
  try {
    const seen = seenDeviceList(home, archive);
    const { list } = await newestDeviceList(stored, endpoint.archiveId, [identity.signing.publicKey], seen);
    rememberDeviceList(home, archive, list.counter);
    return list;
  } catch (error) {
    if (error instanceof ArchiveError && error.code === 'device_list_missing' && stored.length === 0) return null;
    throw error;
  }
}

/**
 * Adds the device under its present name and keys; nothing is written when the list says so already. `level`: of an identity that
 * this device has just made.
 */
export async function joinDeviceList(
  home: Home,
  endpoint: Lists,
  identity: Identity,
  device: Omit<ListedDevice, 'removed'>,
  { level, signal }: { readonly level?: KeyLevel | undefined; readonly signal?: AbortSignal | undefined },
): Promise<DeviceList> {
  for (let left = TRIES; ; left--) {
    const stored = await readDeviceList(home, endpoint, identity, signal);
    const current = stored ?? emptyDeviceList(endpoint.archiveId, level);
    if (isListed(current, device)) return current;
    const highest = highestCounter(await endpoint.deviceLists(signal), current.counter);
    const next = withDevice({ ...current, counter: highest }, device);
    try {
      await endpoint.putDeviceList(next.counter, await signDeviceList(next, identity.signing), signal);
    } catch (error) {
      const isTaken = error instanceof ArchiveError && error.code === 'object_conflict';
      if (!isTaken || left === 0) throw error;
      continue;
    }
    rememberDeviceList(home, toHex(endpoint.archiveId), next.counter);
    return next;
  }
}

/**
 * Of all lists that are stored, whoever signed them: an identity that is about to take over has put its own among them. What
 * cannot be read does not count.
 */
export function highestCounter(stored: readonly Pick<NamedObject, 'bytes'>[], least: number): number {
  let highest = least;
  for (const { bytes } of stored) {
    try {
      highest = Math.max(highest, decodeDeviceList(decodeStatement(bytes).body).counter);
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
    }
  }
  return highest;
}

function isListed(list: DeviceList, device: Omit<ListedDevice, 'removed'>): boolean {
  const listed = list.devices.find(({ deviceId }) => toHex(deviceId) === toHex(device.deviceId));
  return (
    listed !== undefined &&
    listed.removed === null &&
    listed.recipient === device.recipient &&
    equalBytes(listed.publicKey, device.publicKey) &&
    listed.name === device.name
  );
}

/** By name or id, of all that ever were in the list: their snapshots stay. */
export function findDevice(list: DeviceList, wanted: string): ListedDevice {
  const found = list.devices.filter(({ name, deviceId }) => name === wanted || toHex(deviceId) === wanted);
  if (found.length === 1) return found[0]!;
  const what =
    found.length === 0
      ? `No device is called "${wanted}"${butKnown(list.devices.map(({ name }) => name))}`
      : `${found.length} devices are called "${wanted}": give the id, ${found.map(({ deviceId }) => toHex(deviceId)).join(' or ')}`;
  throw new AgentError('device_name_unknown', { what });
}
