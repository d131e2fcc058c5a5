import { type Device, readDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { readPause } from '../state/pause.ts';
import { readRenewal } from '../state/renewal.ts';
import { readSettings } from '../state/settings.ts';
import { VERSION } from '../version.ts';
import { NOT_WATCHING, setStatuses } from './set-status.ts';
import type { Status } from './status.ts';

/** The status where no service runs: what the state folder says. */
export function readStatus(home: Home, now: number, zone: string): Status {
  return {
    version: VERSION,
    device: deviceStatus(readDevice(home)),
    daemon: null,
    pause: readPause(home, now),
    renewal: readRenewal(home).due,
    sets: setStatuses(home, readSettings(home), NOT_WATCHING, now, zone),
  };
}

const deviceStatus = (device: Device | null): Status['device'] =>
  device && { id: device.id, name: device.name, user: device.user.name, server: device.authority.base };
